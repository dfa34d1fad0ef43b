use std::ffi::OsString;
use std::path::Path;

use super::keys::KEYS;
use super::*;

fn from_variables(variables: &[(&str, &str)]) -> Result<Config, ConfigError> {
    let all = variables.iter().map(|(name, value)| (name.into(), value.into()));
    let mut config = Config::default();
    let all: Vec<(OsString, OsString)> = all.collect();
    environment::apply(&mut config, &environment::variables(all.into_iter()))?;
    Ok(config)
}

fn shown(config: &Config) -> Vec<String> {
    KEYS.iter().map(|key| format!("{} = {}", key.full(), (key.show)(config))).collect()
}

/// The template with each key set to its default.
fn uncommented(template: &str) -> String {
    let is_key = |line: &&str| line.starts_with('#') && !line.starts_with("# ");
    let line = |line: &str| line.strip_prefix('#').filter(|_| is_key(&line)).unwrap_or(line).into();
    template.lines().map(line).collect::<Vec<String>>().join("\n")
}

#[test]
fn the_template_has_every_key_with_its_default() {
    let template = Config::template();
    assert_eq!(shown(&Config::from_toml(&template).unwrap()), shown(&Config::default()));
    let text = uncommented(&template);
    assert_eq!(shown(&Config::from_toml(&text).unwrap()), shown(&Config::default()), "{text}");
    assert_eq!(text.lines().filter(|line| line.contains(" = ")).count(), KEYS.len(), "{text}");
}

#[test]
fn examples_and_guide_show_the_template() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut shown = vec![root.join("docs/guide/configuration.md")];
    for example in std::fs::read_dir(root.join("examples")).unwrap() {
        shown.push(example.unwrap().path().join("endwise.toml"));
    }
    assert!(shown.len() > 3, "{shown:?}");
    for path in shown {
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        if std::env::var_os("BLESS").is_some() {
            bless(&path, &text);
        } else {
            let told = "does not show Config::template(); BLESS=1 puts it there";
            assert!(text.contains(&Config::template()), "{} {told}", path.display());
        }
    }
}

/// Puts the template where the text has one: what stands there is all of it, or its TOML.
fn bless(path: &Path, text: &str) {
    let (before, rest) = text.split_once("```toml\n").unwrap_or_default();
    let after = rest.split_once("```\n").unwrap_or_default().1;
    let is_guide = !before.is_empty();
    let guide = || format!("{before}```toml\n{}```\n{after}", Config::template());
    std::fs::write(path, if is_guide { guide() } else { Config::template() }).unwrap();
}

#[test]
fn limits_are_explained_in_their_guide() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let guide = std::fs::read_to_string(root.join("docs/guide/limits.md")).unwrap();
    let is_limit = |key: &&keys::Key| {
        key.table == "limits" || key.table != "failure" && key.name.ends_with("_max")
    };
    for key in KEYS.iter().filter(is_limit) {
        assert!(guide.contains(&format!("| `{}` |", key.name)), "{} is missing", key.full());
    }
}

#[test]
fn a_variable_is_stronger_than_the_file() {
    let mut config = Config::from_toml("[limits]\nin_flight_max = 5\nlanes_max = 5").unwrap();
    let variables = [("ENDWISE_LIMITS_IN_FLIGHT_MAX", "7"), ("HOME", "x"), ("ENDWISE_SEED", "1")];
    let variables = variables.map(|(name, value)| (name.into(), value.into()));
    environment::apply(&mut config, &environment::variables(variables.into_iter())).unwrap();
    assert_eq!((config.limits.in_flight_max, config.limits.lanes_max), (7, 5));
}

#[test]
fn every_key_has_a_variable_of_its_own() {
    let mut names: Vec<_> = KEYS.iter().map(|key| key.variable()).collect();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), KEYS.len());
    let config = from_variables(&[("ENDWISE_DATA", "/var/x"), ("ENDWISE_SERVICE_DRAIN", "1m")]);
    let config = config.unwrap();
    assert_eq!((config.data.as_path(), config.drain), (Path::new("/var/x"), ms(60_000)));
}

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

#[test]
fn an_unknown_name_is_told_with_the_nearest_and_all() {
    let cases = [
        ("[limits]\nlanes_max = 1\nholds_mx = 1", r#"line 3: the key "holds_mx" of [limits] is "#),
        ("[limits]\nholds_mx = 1", r#"(did you mean "holds_max"?); known are: in_flight_max, "#),
        ("holds_max = 1", r#"(did you mean [limits] holds_max?); known are: data, [service], "#),
        ("\n[limit]\nholds_max = 1", r#"line 2: the key "limit" at the top is unknown (did you "#),
        ("[limit]", "did you mean [limits]?"),
        ("[limits.holds_max]", "line 1: [limits] holds_max cannot be a table: it is a whole "),
        ("limits = 3", "line 1: the key \"limits\" at the top"),
        ("data = ", "line 1: "),
    ];
    for (text, told) in cases {
        let error = Config::from_toml(text).unwrap_err().to_string();
        assert!(error.contains(told), "{text:?}: {error}");
    }
    let error = from_variables(&[("ENDWISE_LIMITS_IN_FLIGHT", "1")]).unwrap_err().to_string();
    let told = "environment variable ENDWISE_LIMITS_IN_FLIGHT: it is unknown (did you mean \
                ENDWISE_LIMITS_IN_FLIGHT_MAX?); the page docs/guide/configuration.md lists all";
    assert!(error.contains(told), "{error}");
    let error = from_variables(&[("ENDWISE_X", "1")]).unwrap_err().to_string();
    assert!(error.contains("it is unknown; the page docs/guide/"), "{error}");
}

#[test]
fn values_that_do_not_go_together_are_told_where_one_of_them_is_set() {
    let cases = [
        (
            "[failure]\nretry_min = '2m'",
            "line 2: [failure] retry_min \"2m\" is longer than retry_max \"1m\" (its default): set both",
        ),
        ("[failure]\nretry_max = '50ms'", "retry_max \"50ms\" is shorter than retry_min \"100ms\""),
        ("[failure]\nretry_max = '1s'\nretry_min = '2s'", "line 3: [failure] retry_min \"2s\" is"),
    ];
    for (text, told) in cases {
        let error = Config::from_toml(text).unwrap_err().to_string();
        assert!(error.contains(told), "{text:?}: {error}");
    }
    let mut config = Config::from("elsewhere");
    config.failure.retry_min = ms(120_000);
    let error = config.check().unwrap_err().to_string();
    assert!(error.contains("that the program made: [failure] retry_min \"2m\" is"), "{error}");
}

#[test]
fn a_wrong_value_is_told_with_what_is_allowed() {
    let cases = [
        ("data = 5", "data cannot be 5: it is a path"),
        ("data = ''", "data cannot be '': it is a path"),
        ("[limits]\nin_flight_max = \"5\"", "it is a whole number from 1 to 65536"),
        ("[limits]\nin_flight_max = 0", "cannot be 0: it is a whole number from 1 "),
        ("[limits]\nin_flight_max = -1", "cannot be -1: it is a whole number from 1 "),
        ("[limits]\nlanes_max = [1]", "cannot be an array: "),
        ("[limits]\nholds_bytes_max = '1MB'", "cannot be '1MB': it is a number of bytes, or a "),
        ("[limits]\npayload_bytes_max = '2MiB'", "cannot be '2MiB': it is a number of bytes, or "),
        ("[limits]\npayload_bytes_max = '2MiB'", "from 1B to 1MiB"),
        ("[service]\ndrain = 30", "[service] drain cannot be 30: it is a time such as \"30s\""),
        ("[service]\ndrain = '30 parsecs'", "(ms, s, m, h, d), from 0ms to 1d"),
        ("[service]\ndrain = '99999999999999999999s'", "from 0ms to 1d"),
        ("[broker]\npartitions = 257", "it is a whole number from 1 to 256"),
    ];
    for (text, told) in cases {
        let error = Config::from_toml(text).unwrap_err().to_string();
        assert!(error.contains(told), "{text:?}: {error}");
    }
    let error = from_variables(&[("ENDWISE_LIMITS_LANES_MAX", "")]).unwrap_err().to_string();
    let told = "environment variable ENDWISE_LIMITS_LANES_MAX: [limits] lanes_max cannot be \"\": ";
    assert!(error.contains(told), "{error}");
}

#[test]
fn sizes_and_times_are_read_in_every_unit() {
    let sizes = [("65536", 65_536), ("'64KiB'", 65_536), ("'3 MiB'", 3 << 20), ("'1GiB'", 1 << 30)];
    for (text, bytes) in sizes {
        let config = Config::from_toml(&format!("[limits]\nholds_bytes_max = {text}")).unwrap();
        assert_eq!(config.limits.holds_bytes_max, bytes, "{text}");
    }
    let times = [("200ms", 200), ("30s", 30_000), ("5m", 300_000), ("2h", 7_200_000)];
    for (text, millis) in times {
        let config = Config::from_toml(&format!("[service]\ndrain = {text:?}")).unwrap();
        assert_eq!(config.drain, ms(millis), "{text}");
    }
}

#[test]
fn a_password_is_never_shown() {
    let text = "[broker]\nurl = 'amqp://guest:1234@host'";
    for error in [
        Config::from_toml(text).unwrap_err(),
        from_variables(&[("ENDWISE_BROKER_URL", "amqp://guest:1234@host")]).unwrap_err(),
    ] {
        let error = format!("{error} {error:?}");
        assert!(!error.contains("1234") && error.contains("amqp"), "{error}");
        assert!(error.contains("this build knows \"embedded\" only"), "{error}");
    }
    assert!(!format!("{:?}", Config::default()).contains("embedded\""));
}

#[test]
fn what_a_program_made_is_held_against_the_same_bounds() {
    let mut config = Config::from("elsewhere");
    config.check().unwrap();
    config.limits.lanes_max = 0;
    let error = config.check().unwrap_err().to_string();
    assert!(error.contains("[limits] lanes_max cannot be 0"), "{error}");
}

#[test]
fn a_file_that_is_named_must_exist_and_says_its_lines() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("bank.toml");
    let named = vec![("ENDWISE_CONFIG".to_owned(), path.clone().into_os_string())];
    let error = file::find(&named).unwrap_err().to_string();
    assert!(error.contains("bank.toml cannot be read") && error.contains("names it"), "{error}");

    std::fs::write(&path, "[limits]\n\nlanes = 1").unwrap();
    let file = file::find(&named).unwrap().unwrap();
    let error = Config::default().apply_text(&file.text, Some(&file.path)).unwrap_err();
    assert!(error.to_string().contains("bank.toml:3: the key \"lanes\""), "{error}");
    assert!(file::find(&Vec::new()).unwrap().is_none(), "an absent endwise.toml is none");
}
