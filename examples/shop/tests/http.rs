//! The shop as a process, from outside: by HTTP, and by the signal that stops it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};

type Test<T = ()> = Result<T, Box<dyn std::error::Error>>;

struct Shop {
    process: Child,
    address: String,
}

impl Shop {
    fn open(data: &Path) -> Test<Shop> {
        let mut process = Command::new(env!("CARGO_BIN_EXE_shop"))
            .env("ENDWISE_DATA", data)
            .args(["--listen", "127.0.0.1:0"])
            .current_dir(data)
            .stdout(Stdio::piped())
            .spawn()?;
        let mut lines = BufReader::new(process.stdout.take().ok_or("no output")?).lines();
        loop {
            let line = lines.next().ok_or("it ended before it was open")??;
            if let Some((_, rest)) = line.split_once("http://") {
                let address = rest.split(' ').next().unwrap_or_default().to_owned();
                // Whoever writes there must find a reader until the end.
                std::thread::spawn(move || lines.for_each(drop));
                return Ok(Shop { process, address });
            }
        }
    }

    /// The status and the body of what is answered.
    fn ask(&self, method: &str, path: &str, headers: &str, body: &str) -> Test<(u16, String)> {
        let mut stream = TcpStream::connect(&self.address)?;
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nhost: shop\r\nconnection: close\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n{headers}\r\n{body}",
            body.len()
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let (head, body) = answer.split_once("\r\n\r\n").ok_or("no body")?;
        let status = head.split(' ').nth(1).ok_or("no status")?.parse()?;
        Ok((status, body.to_owned()))
    }

    fn get(&self, path: &str) -> Test<(u16, String)> {
        self.ask("GET", path, "", "")
    }

    fn place(&self, key: &str, count: u32) -> Test<u16> {
        let wish = format!("{{\"item\":\"kettle\",\"count\":{count}}}");
        Ok(self.ask("POST", "/orders", &format!("idempotency-key: {key}\r\n"), &wish)?.0)
    }

    /// Asks until that is the answer: an order is handled after it was taken in.
    fn until(&self, path: &str, expected: (u16, &str)) -> Test {
        let mut last = None;
        for _ in 0..20_000 {
            let (status, body) = self.get(path)?;
            if (status, &*body) == expected {
                return Ok(());
            }
            last = Some((status, body));
        }
        Err(format!("{path} goes on answering {last:?}").into())
    }

    fn close(mut self) -> Test {
        let id = self.process.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status()?.success());
        assert!(self.process.wait()?.success(), "it ends in order");
        Ok(())
    }
}

impl Drop for Shop {
    fn drop(&mut self) {
        // One that was closed is gone already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn an_order_is_placed_once_by_its_key_also_after_a_restart() -> Test {
    let home = tempfile::tempdir()?;
    let shop = Shop::open(home.path())?;
    assert_eq!(shop.get("/health")?, (200, "ready".to_owned()));
    assert_eq!(shop.place("k1", 2)?, 202);
    assert_eq!(shop.place("k1", 2)?, 200, "it was taken in before");
    assert_eq!(shop.place("k1", 3)?, 422, "another order under the key");
    let (status, text) = shop.ask("POST", "/orders", "", "{\"item\":\"kettle\",\"count\":1}")?;
    assert_eq!((status, text.contains("Idempotency-Key")), (400, true), "{text}");
    shop.until("/stock/kettle", (200, "8"))?;
    shop.until("/orders/k1", (200, "2 kettle, unpaid"))?;
    let (_, metrics) = shop.get("/metrics")?;
    assert!(metrics.contains("endwise_handled_total"), "{metrics}");
    shop.close()?;

    let shop = Shop::open(home.path())?;
    assert_eq!(shop.place("k1", 2)?, 200);
    assert_eq!(shop.ask("POST", "/orders/k1/payment", "", "")?.0, 202);
    shop.until("/orders/k1", (404, "there is none"))?;
    assert_eq!(shop.get("/stock/kettle")?, (200, "8".to_owned()));
    shop.close()
}
