//! The template: all keys with their defaults.

use super::Config;
use super::keys::{self, Key};

const HEAD: &str = "\
# All that can be set, each with its default; take the # away to set it. An environment variable is
# stronger: ENDWISE_LIMITS_IN_FLIGHT_MAX is in_flight_max of [limits], ENDWISE_DATA is data.
# Sizes: a number of bytes, or \"64MiB\" (B, KiB, MiB, GiB, TiB). Times: \"200ms\" (ms, s, m, h, d).
";

pub(super) fn template() -> String {
    let defaults = Config::default();
    let mut text = HEAD.to_owned();
    for table in keys::tables() {
        if !table.is_empty() {
            text += &format!("\n[{table}]");
        }
        text.push('\n');
        for key in keys::of(table) {
            text += &line(key, &defaults);
        }
    }
    text
}

fn line(key: &Key, defaults: &Config) -> String {
    let shown = (key.show)(defaults);
    let is_number = shown.bytes().all(|byte| byte.is_ascii_digit());
    let value = if is_number { shown } else { format!("{shown:?}") };
    format!("# {}\n#{} = {value}\n", key.about, key.name)
}
