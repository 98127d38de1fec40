//! When the certificates expire that the settings name: told before the broker refuses them, which looks like a broker that
//! is away.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use openssl::asn1::Asn1Time;
use openssl::error::ErrorStack;
use openssl::x509::X509;
use opentelemetry::{KeyValue, global};

use crate::Settings;

/// From how long before on its end is warned of, in seconds: two weeks.
const SOON: i64 = 14 * 24 * 3_600;

/// A file with certificates that the settings name.
struct Named {
    setting: &'static str,
    file: String,
    /// Whether all of them are needed, as of a chain; of a bundle of authorities any may be the one.
    all: bool,
}

/// Warns of every certificate that has expired, will soon, or cannot be read.
pub(crate) fn warnings(settings: &Settings) -> Vec<String> {
    let now = now();
    named(settings).iter().filter_map(|named| warning(named, now)).collect()
}

/// Exports when each expires for as long as the process runs. The files are read whenever somebody asks.
pub(crate) fn observe(settings: &Settings) {
    let all = named(settings);
    if all.is_empty() {
        return;
    }
    global::meter("pavane-bus")
        .i64_observable_gauge("pavane.certificate.expires")
        .with_unit("s")
        .with_description("When a certificate expires that the settings name, in seconds since 1970.")
        .with_callback(move |asked| {
            for named in &all {
                if let Ok(expires) = expires(named) {
                    asked.observe(expires, &[KeyValue::new("setting", named.setting)]);
                }
            }
        })
        .build();
}

/// The files with certificates, as far as they are files; an authority may also be a folder, or the system's.
fn named(settings: &Settings) -> Vec<Named> {
    let client = |setting: &'static str, all| {
        settings.client.get(setting).map(|file| Named { setting, file: file.clone(), all })
    };
    let registry = settings.registry_access.ca_file.as_ref().map(|file| Named {
        setting: "registry.ca.location",
        file: file.display().to_string(),
        all: false,
    });
    let all = [client("ssl.certificate.location", true), client("ssl.ca.location", false), registry];
    all.into_iter().flatten().filter(|named| !Path::new(&named.file).is_dir()).collect()
}

fn warning(named: &Named, now: i64) -> Option<String> {
    let Named { setting, file, .. } = named;
    match expires(named) {
        Err(why) => {
            Some(format!("nobody can tell when the certificate in {file} ({setting}) expires: {why}"))
        }
        Ok(at) if at <= now => Some(format!(
            "the certificate in {file} ({setting}) has expired, {} days ago: renew it, and restart",
            (now - at) / 86_400
        )),
        Ok(at) if at - now < SOON => Some(format!(
            "the certificate in {file} ({setting}) expires in {} days: renew it, and restart",
            (at - now) / 86_400
        )),
        Ok(_) => None,
    }
}

/// When what is in the file expires, in seconds since 1970; or why nobody can tell.
fn expires(named: &Named) -> Result<i64, String> {
    let pem = std::fs::read(&named.file).map_err(|error| error.to_string())?;
    let all = X509::stack_from_pem(&pem).map_err(|error| error.to_string())?;
    let ends = all.iter().map(end).collect::<Result<Vec<i64>, ErrorStack>>();
    let ends = ends.map_err(|error| error.to_string())?;
    let end = if named.all { ends.into_iter().min() } else { ends.into_iter().max() };
    end.ok_or_else(|| "there is none in it".to_owned())
}

fn end(certificate: &X509) -> Result<i64, ErrorStack> {
    let since = Asn1Time::from_unix(0)?.diff(certificate.not_after())?;
    Ok(i64::from(since.days) * 86_400 + i64::from(since.secs))
}

fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use openssl::bn::BigNum;
    use openssl::ec::{EcGroup, EcKey};
    use openssl::hash::MessageDigest;
    use openssl::nid::Nid;
    use openssl::pkey::PKey;

    use super::*;

    const DAY: i64 = 86_400;

    /// A certificate that expires at this time.
    fn pem(expires: i64) -> Vec<u8> {
        let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
        let key = PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap();
        let mut made = X509::builder().unwrap();
        made.set_version(2).unwrap();
        made.set_serial_number(&BigNum::from_u32(1).unwrap().to_asn1_integer().unwrap()).unwrap();
        made.set_not_before(&Asn1Time::from_unix(0).unwrap()).unwrap();
        made.set_not_after(&Asn1Time::from_unix(expires).unwrap()).unwrap();
        made.set_pubkey(&key).unwrap();
        made.sign(&key, MessageDigest::sha256()).unwrap();
        made.build().to_pem().unwrap()
    }

    /// What is warned of where one file of two certificates is the client's chain and the authorities' bundle.
    fn told(days: [i64; 2]) -> Vec<String> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("both.pem").display().to_string();
        let now = now();
        // half a day off, so that the test may take its time
        let both = days.map(|days| pem(now + days * DAY + DAY / 2));
        std::fs::write(&file, both.concat()).unwrap();
        let mut settings = Settings::new("127.0.0.1:1", "http://127.0.0.1:1");
        for setting in ["ssl.certificate.location", "ssl.ca.location"] {
            settings.client.insert(setting.to_owned(), file.clone());
        }
        warnings(&settings).into_iter().map(|told| told.replace(&file, "FILE")).collect()
    }

    #[test]
    fn a_certificate_is_told_of_before_it_expires() {
        assert!(told([15, 400]).is_empty());
        let chain = "the certificate in FILE (ssl.certificate.location)";
        assert_eq!(told([400, 13]), [format!("{chain} expires in 13 days: renew it, and restart")]);
        let gone = told([-3, 400]);
        assert_eq!(gone, [format!("{chain} has expired, 2 days ago: renew it, and restart")]);
        assert_eq!(told([-3, -2]).len(), 2, "no authority is left");
    }

    #[test]
    fn what_is_no_certificate_is_told_and_a_folder_of_authorities_is_not_read() {
        let folder = tempfile::tempdir().unwrap();
        let mut settings = Settings::new("127.0.0.1:1", "http://127.0.0.1:1");
        let path = folder.path().display().to_string();
        settings.client.insert("ssl.ca.location".to_owned(), path.clone());
        assert!(warnings(&settings).is_empty());
        settings.client.insert("ssl.certificate.location".to_owned(), format!("{path}/none.pem"));
        let told = warnings(&settings);
        assert!(told.len() == 1 && told[0].contains("nobody can tell when"), "{told:?}");
    }
}
