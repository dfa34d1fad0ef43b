//! The outsider's checker: bills against input, without a line of the example's code.

use std::collections::BTreeMap;

use serde::Deserialize;

/// Each waybill's statuses in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Bills(BTreeMap<String, Vec<String>>);

#[derive(Deserialize)]
struct Bill {
    waybill: String,
    statuses: Vec<String>,
    events: usize,
}

#[derive(Deserialize)]
struct Change {
    waybill: String,
    status: String,
    #[serde(rename = "at")]
    _at: String,
    #[serde(rename = "by")]
    _by: String,
}

impl Bills {
    /// Reads what `--out` has written.
    pub(crate) fn read(text: &str) -> Result<Self, String> {
        let mut bills = Bills::default();
        for line in text.lines() {
            let bill: Bill = serde_json::from_str(line).map_err(|e| format!("{line}: {e}"))?;
            if bill.events != bill.statuses.len() {
                return Err(format!("{line}: events and statuses differ"));
            }
            if bills.0.insert(bill.waybill, bill.statuses).is_some() {
                return Err(format!("{line}: a second bill of this waybill"));
            }
        }
        Ok(bills)
    }

    pub(crate) fn changes(&self) -> usize {
        self.0.values().map(Vec::len).sum()
    }

    /// The same with one change lost, doubled, or in another place.
    pub(crate) fn damaged(&self) -> Vec<Bills> {
        let (mut lost, mut doubled, mut moved) = (self.clone(), self.clone(), self.clone());
        lost.0.values_mut().next().unwrap().pop();
        let statuses = doubled.0.values_mut().next().unwrap();
        statuses.push(statuses[0].clone());
        let longest = moved.0.values_mut().max_by_key(|statuses| statuses.len()).unwrap();
        let other = longest.iter().position(|status| *status != longest[0]).unwrap();
        longest.swap(0, other);
        vec![lost, doubled, moved]
    }
}

/// What the bills must be for this input.
pub(crate) fn expected_of(log: &str) -> Bills {
    let mut bills = Bills::default();
    for line in log.lines() {
        if let Ok(Change { waybill, status, .. }) = serde_json::from_str(line) {
            bills.0.entry(waybill).or_default().push(status);
        }
    }
    bills
}
