use moltis_proto::v1::code_client::CodeClient;
use moltis_proto::v1::{HighlightRequest, Token};

use crate::rig::Rig;

#[tokio::test]
async fn a_client_is_told_what_the_pieces_of_code_are() {
    let rig = Rig::start();
    let mut code = CodeClient::new(rig.channel().await);
    let mut ask = async |language: &str| {
        let request = HighlightRequest { language: language.into(), text: "fn".into() };
        code.highlight(request).await.unwrap().into_inner().lines
    };
    let lines = ask("rust").await;
    assert_eq!((lines[0].pieces[0].length, lines[0].pieces[0].token()), (2, Token::Keyword));
    assert!(ask("no-such-language").await.is_empty());
}
