use moltis_proto::v1;
use moltis_proto::v1::sessions_client::SessionsClient;

use crate::rig::{Rig, codes};

#[tokio::test]
async fn a_client_is_told_the_commands_and_what_came_of_one() {
    let rig = Rig::start();
    let mut client = SessionsClient::new(rig.channel().await);
    let commands = client.commands(v1::CommandsRequest {}).await.unwrap().into_inner().commands;
    assert_eq!((commands[0].name.as_str(), commands[0].argument.as_str()), ("sh", "COMMAND"));
    let request = |line: &str| v1::CommandRequest {
        op_id: "o1".to_owned(),
        session: "s1".to_owned(),
        line: line.to_owned(),
    };
    let reply = client.command(request("/sh ls")).await.unwrap().into_inner();
    assert_eq!(
        (reply.text.as_str(), reply.session.as_str(), reply.turn.as_str()),
        ("ran", "", "t1")
    );
    assert_eq!(rig.fake.take_asked(), "command OpId(o1) SessionId(s1) \"/sh ls\"");
    for empty in ["", " / ", &"a".repeat(65 << 10)] {
        assert_eq!(codes(client.command(request(empty)).await).1, "invalid");
    }
    assert_eq!(rig.fake.take_asked(), "");
}
