use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use moltis_agent::redact::Redactor;
use moltis_core::error::Result;
use moltis_core::event::Origin;
use moltis_core::message::{Part, text_of};
use moltis_core::tool::{Cleaner as _, Outcome};

use super::{MOST_HERE, NoSecrets, Printing, Secrets, kept_from};

/// Secrets that can change.
struct Changing(Mutex<Redactor>);

#[async_trait]
impl Secrets for Changing {
    async fn learn(&self) -> Result<()> {
        Ok(())
    }

    fn redactor(&self) -> Redactor {
        self.0.lock().unwrap().clone()
    }
}

fn knowing(secrets: &[(&str, &str)]) -> Redactor {
    Redactor::new(secrets.iter().copied())
}

fn secrets() -> Arc<Changing> {
    Arc::new(Changing(Mutex::new(knowing(&[("OLD", "an-old-secret")]))))
}

#[test]
fn a_secret_that_is_set_while_a_tool_runs_is_not_printed() {
    let secrets = secrets();
    let mut printing = Printing::new(secrets.clone());
    assert_eq!(printing.push("begins an-old-"), "begins ");
    *secrets.0.lock().unwrap() = knowing(&[("OLD", "an-old-secret"), ("NEW", "a-new-secret")]);
    assert_eq!(printing.push("hat; a-new-"), "an-old-hat; ");
    assert_eq!(printing.push("secret!"), "[NEW]!");
    assert_eq!(printing.rest(), "");
}

#[tokio::test]
async fn a_secret_is_seen_across_the_parts_of_a_result() {
    let text = |text: &str| Part::Text(text.to_owned());
    let picture = Part::Image { media_type: "image/png".to_owned(), data: vec![1].into() };
    let parts = vec![text("an-old"), picture.clone(), text("-secret and more")];
    let outcome = Outcome { parts, ..Outcome::said("") };
    let clean = kept_from(&*secrets(), outcome.clone()).await;
    assert_eq!(clean.parts, [text(""), picture, text("[OLD] and more")]);
    assert_eq!(kept_from(&NoSecrets, outcome.clone()).await, outcome);
}

#[tokio::test]
async fn a_large_result_is_cleaned_as_a_small_one_is() {
    let text = format!("{}an-old-secret", "x".repeat(MOST_HERE));
    let outcome = Outcome::failed(text).from(Origin::Web).sensitive();
    let clean = kept_from(&*secrets(), outcome.clone()).await;
    assert_eq!(text_of(&clean.parts), format!("{}[OLD]", "x".repeat(MOST_HERE)));
    assert_eq!(Outcome { parts: outcome.parts.clone(), ..clean }, outcome);
}
