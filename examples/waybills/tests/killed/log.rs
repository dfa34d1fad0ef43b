//! A made-up log in the shape of a real one: many short cases and some long ones, interleaved by
//! time, with repeated steps, long names, and empty or odd fields.

const STEPS: [&str; 12] = [
    "Confirmation of receipt",
    "T02 Check confirmation of receipt",
    "T04 Determine confirmation of receipt",
    "T05 Print and send confirmation of receipt",
    "T06 Determine necessity of stop advice",
    "T10 Determine necessity to stop indication",
    "Bevestiging „ontvangst“ – naïef",
    "W_Completeren aanvraag",
    "\"quoted\", with \\ and \t tab",
    "收货确认",
    "x",
    "A_SUBMITTED-COMPLETE (a rather long name of an activity, as people give them in such systems)",
];

/// The log of that many cases, drawn from a seed.
pub(crate) fn generated(seed: u64, cases: usize) -> String {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut events = Vec::new();
    for case in 0..cases {
        // Most cases have a few events, one in fifty has a hundred and more.
        let length = match random.u32(..50) {
            0 => random.u64(80..180),
            1..10 => random.u64(15..40),
            _ => random.u64(1..12),
        };
        let mut at = random.u64(..1_000_000);
        for _ in 0..length {
            at += random.u64(1..20_000);
            events.push((at, case, random.usize(..STEPS.len()), random.u32(..60)));
        }
    }
    events.sort();
    let mut log = String::new();
    for (at, case, step, by) in events {
        let line = serde_json::json!({
            "waybill": if case % 9 == 0 { format!("aanvraag/{case} ü") } else { format!("case-{case}") },
            "status": STEPS[step],
            "at": if by % 7 == 0 { String::new() } else { format!("2010-10-02T{at}+02:00") },
            "by": if by % 5 == 0 { String::new() } else { format!("Resource{by:02}") },
        });
        log.push_str(&line.to_string());
        log.push('\n');
    }
    log
}
