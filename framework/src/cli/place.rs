//! Which services a directory has.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Trouble;
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
    let mut services = Vec::new();
    for entry in dir.read_dir().map_err(|error| failed(dir, error))? {
        let dir = entry.map_err(|error| failed(dir, error))?.path();
        if dir.is_dir()
            && let Some(service) = look(&dir)?
        {
            services.push(Place { service, dir });
        }
    }
    services.sort();
    if services.is_empty() {
        return Err(Trouble::Failed(format!(
            "there is no service's data in {}: name a service's directory (it has a file FORMAT), \
             or the one above it",
            dir.display()
        )));
    }
    Ok(services)
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
        std::fs::write(home.path().join("broker/FORMAT"), "endwise broker, format 1\n").unwrap();
        assert_eq!(names(home.path()).unwrap(), ["audit", "bank"]);
        assert_eq!(names(&home.path().join("bank")).unwrap(), ["bank"]);
        let several = service(home.path()).unwrap_err();
        assert!(matches!(&several, Trouble::Usage(text) if text.contains("(audit, bank)")));
        assert!(names(&home.path().join("broker")).is_err());
        assert!(names(&home.path().join("nowhere")).is_err());
    }
}
