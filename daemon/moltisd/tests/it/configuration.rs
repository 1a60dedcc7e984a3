//! The configuration of a real daemon: what it refuses, what it takes into use, what it says of it.

use moltis_proto::v1;
use moltis_testkit::daemon::Home;

fn home() -> Home {
    Home::new(env!("CARGO_BIN_EXE_moltisd"))
}

fn set(key: &str, value: &str) -> v1::SetConfigRequest {
    v1::SetConfigRequest { key: key.to_owned(), value: value.to_owned() }
}

#[tokio::test]
async fn a_change_that_the_daemon_could_not_start_from_is_not_written() {
    let home = home();
    let daemon = home.start().await;
    daemon.config().set(set("providers.work.kind", "openai")).await.unwrap();
    let before = std::fs::read_to_string(home.config_file()).unwrap();
    let refused = daemon.config().set(set("providers.work.base_url", "http://")).await;
    assert!(refused.unwrap_err().message().contains("is not an http or https URL"));
    assert_eq!(std::fs::read_to_string(home.config_file()).unwrap(), before);
    daemon.stop().await;

    std::fs::write(home.config_file(), format!("{before}base_url = \"http://\"\n")).unwrap();
    let said = home.try_start().await.err().unwrap();
    let checked = home.command().args(["--check-config", "--json"]).output().await.unwrap();
    assert_eq!(checked.status.code(), Some(1));
    let checked = String::from_utf8(checked.stdout).unwrap();
    let reason = "is not an http or https URL";
    assert!(said.contains(reason) && checked.contains(reason), "{said} {checked}");
}

#[tokio::test]
async fn a_configuration_that_can_not_be_written_keeps_no_daemon_from_starting() {
    // Nobody, not even root, can make a folder there.
    let home = home().env("MOLTIS_CONFIG_DIR", "/proc/moltis");
    let daemon = home.start().await;
    let refused = daemon.config().set(set("chat.timeout_s", "5")).await.unwrap_err();
    assert!(refused.message().contains("/proc/moltis"), "{refused:?}");
    daemon.stop().await;
    let log = std::fs::read_to_string(home.data_dir().join("logs/moltisd.log")).unwrap();
    assert!(log.contains("the defaults hold"), "{log}");
}

#[tokio::test]
async fn a_hang_up_takes_the_file_into_use_unless_it_has_an_error() {
    let home = home();
    let daemon = home.start().await;
    let log = home.data_dir().join("logs/moltisd.log");
    let until_logged = async |what: &str| {
        while !std::fs::read_to_string(&log).unwrap().contains(what) {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    };
    let timeout = async || {
        let request = v1::ShowConfigRequest { key: "chat.timeout_s".to_owned() };
        daemon.config().show(request).await.unwrap().into_inner().values[0].value.clone()
    };
    std::fs::write(home.config_file(), "[chat]\ntimeout_s = 7\n").unwrap();
    daemon.signal("HUP").await;
    until_logged("took the configuration into use").await;
    assert_eq!(timeout().await, "7");
    std::fs::write(home.config_file(), "[chat]\ntimeout_s = -1\n").unwrap();
    daemon.signal("HUP").await;
    until_logged("the configuration stays as it was").await;
    assert_eq!(timeout().await, "7");
}
