//! The way to a service: over its socket, or into the store that it has left.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;

use super::offline::{self, Offline};
use super::place::{Place, services};
use super::print::{error, note};
use super::turn::Turn;
use super::{Came, Trouble};
use crate::admin::{self, Question};
use crate::clock::Clock;
use crate::directory::{Directory, Holder};
use crate::operator::Desk;
use crate::store::StoreError;

/// How long a service may take to change something.
const CHANGE_WAIT: Duration = Duration::from_secs(120);

/// How long it may take to answer what changes nothing, and after which part of that it is said
/// that an answer is waited for.
const READ_WAIT: Duration = Duration::from_secs(10);
const READ_SILENCE: Duration = Duration::from_secs(2);

/// Bytes of an answer.
const ANSWER_BYTES_MAX: u64 = 1 << 30;

/// How a service is asked.
pub(super) enum Way {
    /// With its directory.
    Running(BufReader<UnixStream>, PathBuf),
    Offline(Arc<Desk>, Arc<Offline>),
}

impl Way {
    /// To the service that runs there, or into its store. Whoever opens it is to close it soon:
    /// a start waits for that.
    pub(super) async fn open(place: &Place) -> Result<Way, Trouble> {
        let mut turn = Turn::default();
        loop {
            let why = match connect(place).await? {
                Ok(way) => return Ok(way),
                Err(why) => why,
            };
            match offline::open(place).await {
                Ok((desk, offline)) => return Ok(Way::Offline(desk, offline)),
                Err(StoreError::Locked { by, .. }) => turn.next(&place.dir, &by, &why).await?,
                Err(error) => return Err(Trouble::failed(error)),
            }
        }
    }

    /// To the service that runs there, if one does and can be asked.
    pub(super) async fn to_running(place: &Place) -> Result<Option<Way>, Trouble> {
        Ok(connect(place).await?.ok())
    }

    /// Whether the service runs.
    pub(super) fn is_running(&self) -> bool {
        matches!(self, Way::Running(..))
    }

    /// Asks; an error in the answer is an error here.
    pub(super) async fn ask<Q: Question>(&mut self, question: Q) -> Result<Q::Answer, Trouble> {
        match self {
            Way::Running(stream, _) if Q::CHANGES => {
                let answered = Clock::system().timeout(CHANGE_WAIT, over(stream, question)).await;
                answered.ok_or_else(|| {
                    Trouble::Failed(format!(
                        "no answer came within {} s; what was asked may still be done (a state is \
                         changed when nothing of its key runs): look again, or see with `status` \
                         what runs",
                        CHANGE_WAIT.as_secs()
                    ))
                })?
            }
            Way::Running(stream, dir) => soon(over(stream, question), dir).await,
            Way::Offline(desk, _) => question.answer(desk).await.map_err(Trouble::failed),
        }
    }

    /// Ends: a store that was opened is closed.
    pub(super) async fn close(self) -> Result<(), Trouble> {
        match self {
            Way::Running(..) => Ok(()),
            Way::Offline(_, offline) => offline.close().await.map_err(Trouble::failed),
        }
    }
}

/// What the services of a directory have answered, each with its own answer.
pub(super) struct Each<T> {
    pub(super) answers: Vec<(Place, T)>,
    pub(super) came: Came,
}

/// Asks each service of a directory the same. One that cannot be asked is said, and hides none of
/// the others.
pub(super) async fn each<Q: Question>(dir: &Path, question: Q) -> Result<Each<Q::Answer>, Trouble> {
    of_each(services(dir)?, question).await
}

/// The same, of these services.
pub(super) async fn of_each<Q: Question>(
    places: Vec<Place>,
    question: Q,
) -> Result<Each<Q::Answer>, Trouble> {
    let is_alone = places.len() == 1;
    let mut each = Each { answers: Vec::new(), came: Came::Done };
    for place in places {
        match once(&place, question.clone()).await {
            Ok(answer) => each.answers.push((place, answer)),
            Err(trouble) if is_alone => return Err(trouble),
            Err(trouble) => {
                error(&format!("{}: {trouble}", place.service));
                each.came = Came::InPart;
            }
        }
    }
    Ok(each)
}

/// Asks one question.
pub(super) async fn once<Q: Question>(place: &Place, question: Q) -> Result<Q::Answer, Trouble> {
    let mut way = Way::open(place).await?;
    let answer = way.ask(question).await;
    way.close().await?;
    answer
}

/// To the service that runs there, or why there is none to ask.
async fn connect(place: &Place) -> Result<Result<Way, String>, Trouble> {
    let socket = place.dir.join(admin::NAME);
    match UnixStream::connect(&socket).await {
        Ok(stream) => Ok(Ok(Way::Running(BufReader::new(stream), place.dir.clone()))),
        // Nobody listens: it was killed, or has ended.
        Err(error) if is_nobody(&error) => Ok(Err("has no admin socket that answers".to_owned())),
        Err(error) if error.kind() == ErrorKind::PermissionDenied => Err(Trouble::Failed(format!(
            "cannot ask the service {:?} over {}: {error}; run this as the user whom the service \
             runs as",
            place.service,
            socket.display()
        ))),
        Err(error) => Ok(Err(format!("cannot be asked over {}: {error}", socket.display()))),
    }
}

fn is_nobody(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused)
}

/// An answer that comes soon: who has the directory open may be stopped, or hang.
async fn soon<T>(
    answer: impl Future<Output = Result<T, Trouble>>,
    dir: &Path,
) -> Result<T, Trouble> {
    let (clock, mut answer) = (Clock::system(), pin!(answer));
    if let Some(answered) = clock.timeout(READ_SILENCE, answer.as_mut()).await {
        return answered;
    }
    let left = READ_WAIT.saturating_sub(READ_SILENCE);
    note(&format!("no answer yet; waiting up to {} s more", left.as_secs()));
    clock.timeout(left, answer).await.unwrap_or_else(|| {
        let by = Directory::holder(dir).unwrap_or(Holder::AnotherProcess);
        Err(Trouble::Failed(format!(
            "{by} has the directory {} open and does not answer: it may be stopped, or have too \
             much to do",
            dir.display()
        )))
    })
}

async fn over<Q: Question>(
    stream: &mut BufReader<UnixStream>,
    question: Q,
) -> Result<Q::Answer, Trouble> {
    let failed = |error: io::Error| Trouble::Failed(format!("the service hung up: {error}"));
    stream.get_mut().write_all(&admin::asking(&question)).await.map_err(failed)?;
    let mut line = Vec::new();
    (&mut *stream).take(ANSWER_BYTES_MAX).read_until(b'\n', &mut line).await.map_err(failed)?;
    if line.is_empty() {
        return Err(Trouble::Failed("the service ended before it answered".to_owned()));
    }
    admin::answered::<Q>(&line).map_err(Trouble::failed)
}
