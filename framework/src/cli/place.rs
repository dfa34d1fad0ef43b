//! Which services a directory has.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Trouble;
use super::print::note;
use crate::broker::embedded::EmbeddedBroker;
use crate::store::sled::service_of;

/// A service's data directory.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) service: Arc<str>,
    pub(super) dir: PathBuf,
}

/// The service of that directory, or those of the directories in it, by their names.
pub(super) fn services(dir: &Path) -> Result<Vec<Place>, Trouble> {
    let failed =
        |dir: &Path, error| Trouble::Failed(format!("cannot read {}: {error}", dir.display()));
    let look = |dir: &Path| service_of(dir).map_err(|error| Trouble::Failed(error.to_string()));
    if let Some(service) = look(dir)? {
        return Ok(vec![Place { service, dir: dir.to_owned() }]);
    }
    if EmbeddedBroker::is_in(dir).unwrap_or(false) {
        return Err(Trouble::Failed(format!(
            "{0} has the broker's data, and no service's: `endwise topics {0}` and `endwise \
             consumers list {0}` show them; name a service's directory, or the one above it",
            dir.display()
        )));
    }
    let (mut services, mut broken) = (Vec::new(), Vec::new());
    if is_broken(dir) {
        broken.push(dir.to_owned());
    }
    for entry in dir.read_dir().map_err(|error| failed(dir, error))? {
        let dir = entry.map_err(|error| failed(dir, error))?.path();
        if !dir.is_dir() {
            continue;
        }
        match look(&dir)? {
            Some(service) => services.push(Place { service, dir }),
            None if is_broken(&dir) => broken.push(dir),
            None => {}
        }
    }
    services.sort();
    broken.sort();
    let without = broken.iter().map(|dir| {
        format!(
            "{0} has the data of a service, and its file {0}/FORMAT is missing: put it back; it \
             is in each backup of the directory",
            dir.display()
        )
    });
    let without: Vec<String> = without.collect();
    if services.is_empty() && !without.is_empty() {
        return Err(Trouble::Failed(without.join("; ")));
    }
    without.iter().for_each(|text| note(text));
    if services.is_empty() {
        return Err(Trouble::Failed(format!(
            "there is no service's data in {}: name a service's directory (it has a file FORMAT), \
             or the one above it",
            dir.display()
        )));
    }
    Ok(services)
}

/// Whether a service's data are there without the file that says so.
fn is_broken(dir: &Path) -> bool {
    !dir.join("FORMAT").exists() && dir.join("fit").is_file() && dir.join("journal").is_dir()
}

/// The only service of a directory: what acts does not act on several at once.
pub(super) fn service(dir: &Path) -> Result<Place, Trouble> {
    let services = services(dir)?;
    match <[Place; 1]>::try_from(services) {
        Ok([service]) => Ok(service),
        Err(services) => {
            let names: Vec<&str> = services.iter().map(|place| &*place.service).collect();
            Err(Trouble::Usage(format!(
                "{} has {} services ({}): name the directory of one of them",
                dir.display(),
                names.len(),
                names.join(", ")
            )))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store(dir: &Path, service: &str) {
        std::fs::create_dir_all(dir).unwrap();
        let text = format!("endwise store, format 1\nservice {service}\nstore 00\nepoch 0\n");
        std::fs::write(dir.join("FORMAT"), text).unwrap();
    }

    #[test]
    fn a_directory_is_a_services_or_has_services() {
        let home = tempfile::tempdir().unwrap();
        let names = |dir: &Path| {
            services(dir).map(|all| all.iter().map(|one| one.service.to_string()).collect())
        };
        assert!(names(home.path()).unwrap_or(vec!["none".to_owned()]).contains(&"none".into()));
        store(&home.path().join("bank"), "bank");
        assert_eq!(service(home.path()).unwrap().dir, home.path().join("bank"));
        store(&home.path().join("audit"), "audit");
        std::fs::create_dir_all(home.path().join("broker")).unwrap();
        std::fs::write(home.path().join("broker/FORMAT"), "endwise embedded broker, format 2\n")
            .unwrap();
        assert_eq!(names(home.path()).unwrap(), ["audit", "bank"]);
        assert_eq!(names(&home.path().join("bank")).unwrap(), ["bank"]);
        let several = service(home.path()).unwrap_err();
        assert!(matches!(&several, Trouble::Usage(text) if text.contains("(audit, bank)")));
        let broker = services(&home.path().join("broker")).unwrap_err().to_string();
        assert!(broker.contains("endwise topics "), "{broker}");
        let lacking = home.path().join("mail");
        std::fs::create_dir_all(lacking.join("journal")).unwrap();
        std::fs::write(lacking.join("fit"), "").unwrap();
        let error = services(&lacking).unwrap_err().to_string();
        assert!(error.contains("mail/FORMAT is missing"), "{error}");
        assert!(names(&home.path().join("nowhere")).is_err());
    }
}
