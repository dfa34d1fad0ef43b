//! Faults that a test can put into the core, to see that the simulation finds each of them. A build
//! that is no test has none.

/// A rule that is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mutant {
    /// A handler that is done at once leaves no row when the next one waits.
    PartDoneWithoutRow,
    /// A settled position is not remembered.
    SettledIsForgotten,
    /// A record is done before its position is.
    OpenIsNotHeld,
    /// A duplicate stays where it is.
    DuplicateStays,
    /// A delivery is stored without its message.
    MessageIsNotStored,
    /// A delivery that is done leaves its rows.
    RowsStay,
    /// A delivery that comes does not wait behind those of its key.
    LaneIsAlwaysOpen,
    /// A running delivery is not stored with those behind it.
    RunningIsNotStored,
    /// A changed state is not remembered beside its row.
    OldBytesStay,
    /// The last sequences of outgoing streams are not stored.
    SequencesAreNotStored,
    /// Forgotten keys leave no horizon.
    NoHorizon,
    /// Handlers that are left of a position are not read at a start.
    LeftIsForgotten,
    /// A delivery that is replayed after a skip is not late.
    SkippedIsNotLate,
    /// A handler that is ready is not told to those who wait for it.
    ReadyIsNotTold,
    /// A commit that never came to be counts as durable.
    AbsentIsDurable,
    /// A key goes on behind a dead letter.
    DeadDoesNotClose,
    /// A stored delivery still counts as to be done.
    StoredIsOpen,
    /// A stream's number is not stored.
    StreamIsNotStored,
    /// A message leaves the memory before its row is durable.
    MessageLeavesEarly,
    /// An earlier call's wake is a later one's.
    GenerationIsIgnored,
}

impl Mutant {
    #[cfg(test)]
    pub(crate) const ALL: [Mutant; 20] = [
        Mutant::PartDoneWithoutRow,
        Mutant::SettledIsForgotten,
        Mutant::OpenIsNotHeld,
        Mutant::DuplicateStays,
        Mutant::MessageIsNotStored,
        Mutant::RowsStay,
        Mutant::LaneIsAlwaysOpen,
        Mutant::RunningIsNotStored,
        Mutant::OldBytesStay,
        Mutant::SequencesAreNotStored,
        Mutant::NoHorizon,
        Mutant::LeftIsForgotten,
        Mutant::SkippedIsNotLate,
        Mutant::ReadyIsNotTold,
        Mutant::AbsentIsDurable,
        Mutant::DeadDoesNotClose,
        Mutant::StoredIsOpen,
        Mutant::StreamIsNotStored,
        Mutant::MessageLeavesEarly,
        Mutant::GenerationIsIgnored,
    ];
}

#[cfg(test)]
thread_local! {
    static ON: std::cell::Cell<Option<Mutant>> = const { std::cell::Cell::new(None) };
}

/// Puts a fault into this thread's cores, or takes it out.
#[cfg(test)]
pub(crate) fn set(mutant: Option<Mutant>) {
    ON.set(mutant);
}

/// Returns whether a rule holds.
pub(crate) fn holds(mutant: Mutant) -> bool {
    #[cfg(test)]
    return ON.get() != Some(mutant);
    #[cfg(not(test))]
    {
        let _ = mutant;
        true
    }
}
