//! The boot of the machine: what is written and not synced outlives the process, not the boot.

/// Where Linux names the boot.
pub(crate) const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// Which boot of the machine this is; `None` if the system names none.
pub(crate) fn boot_id() -> Option<u128> {
    let text = std::fs::read_to_string(BOOT_ID).ok()?;
    u128::from_str_radix(&text.trim().replace('-', ""), 16).ok()
}
