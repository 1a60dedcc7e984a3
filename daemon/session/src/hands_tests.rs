use std::sync::Arc;

use async_trait::async_trait;
use moltis_agent::redact::Redactor;
use moltis_core::error::Result;
use moltis_core::id::CallId;
use moltis_core::tool::Output as _;
use tokio::sync::mpsc;

use super::Printer;
use crate::secrets::Secrets;

/// One secret.
struct One(Redactor);

#[async_trait]
impl Secrets for One {
    async fn learn(&self) -> Result<()> {
        Ok(())
    }

    fn redactor(&self) -> Redactor {
        self.0.clone()
    }
}

#[tokio::test]
async fn a_tool_that_cuts_a_text_can_take_the_secrets_out_before() {
    let (inbox, _kept) = mpsc::channel(1);
    let secrets = One(Redactor::new([("TOKEN", "a-secret-of-the-owner")].into_iter()));
    let printer = Printer::new(CallId::from("c"), 1, inbox, Arc::new(secrets));
    let (mut one, mut other) = (printer.cleaner(), printer.cleaner());
    assert_eq!(one.push("a-secret-of"), "");
    // Each text has a cleaner of its own: pieces of another do not come between.
    let warning = other.push("a-secret-place;");
    assert_eq!(warning + &other.rest(), "a-secret-place;");
    let text = one.push("-the-owner and more;");
    assert_eq!(text + &one.rest(), "[TOKEN] and more;");
}
