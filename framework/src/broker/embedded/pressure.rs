//! How near the broker's disk limit is, told once each time that it comes nearer.

use super::options::EmbeddedOptions;
use super::status::status;

/// How near the limit is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Pressure {
    /// There is room.
    #[default]
    None,
    /// 80 % of the limit are used.
    Near,
    /// What comes from outside waits.
    Full,
}

impl Pressure {
    fn of(live_bytes: u64, options: &EmbeddedOptions) -> Self {
        let percent = live_bytes.saturating_mul(100) / options.disk_bytes_max.max(1);
        match percent {
            0..80 => Pressure::None,
            80..100 => Pressure::Near,
            _ => Pressure::Full,
        }
    }

    /// Tells it when it has risen.
    pub(super) fn look(&mut self, shared: &super::shared::Shared) {
        let state = shared.lock();
        let before = *self;
        *self = Pressure::of(state.segments.live_bytes(), &shared.options);
        if *self <= before {
            return;
        }
        let found = status(&state, &shared.options, 0);
        drop(state);
        let waits_for = found.waits_for();
        tracing::warn!(
            target: "endwise::broker", bytes = found.disk.bytes,
            bytes_max = shared.options.disk_bytes_max, waits_for = waits_for.join(", "),
            "the broker's disk limit is near: start the services that it waits for, have it forget \
             them (endwise consumers forget), or raise disk_bytes_max; at the limit, sends wait",
        );
    }
}
