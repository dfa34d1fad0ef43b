//! The schedules of an app: read, and checked.

use super::StartError;
use crate::app::App;
use crate::schedule::{Schedule, Times};
use crate::timer::Ticks;

/// The longest name of a schedule, in bytes.
const NAME_BYTES_MAX: usize = 255;

/// The longest expression, in bytes: it is stored with each time that is sent.
const CRON_BYTES_MAX: usize = 1_024;

/// What the schedules of an app are at work.
pub(crate) fn schedules(app: &App) -> Result<Vec<Ticks>, StartError> {
    for (at, schedule) in app.schedules.iter().enumerate() {
        if app.schedules.iter().take(at).any(|other| other.name == schedule.name) {
            return Err(StartError::SameSchedule(schedule.name.clone()));
        }
    }
    app.schedules.iter().map(ticks).collect()
}

fn ticks(schedule: &Schedule) -> Result<Ticks, StartError> {
    let Schedule { name, cron, message, .. } = schedule;
    let wrong =
        |problem: String| StartError::Schedule { name: name.clone(), problem: problem.into() };
    if name.is_empty() || name.len() > NAME_BYTES_MAX {
        let bytes = name.len();
        return Err(wrong(format!("its name has {bytes} bytes: give it 1 to {NAME_BYTES_MAX}")));
    }
    if cron.len() > CRON_BYTES_MAX {
        let bytes = cron.len();
        return Err(wrong(format!(
            "its expression has {bytes} bytes, {CRON_BYTES_MAX} is the limit"
        )));
    }
    let times = Times::parse(cron).map_err(wrong)?;
    if times.after(0).is_none() {
        return Err(wrong(format!("{cron:?} never comes")));
    }
    let message = message.as_ref().map_err(|error| wrong(error.to_string()))?;
    Ok(Ticks::new(schedule, times, message.clone()))
}
