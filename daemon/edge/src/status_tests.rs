use moltis_codec::error::error_from_wire;

use super::*;

#[test]
fn what_grpc_refused_by_itself_gets_a_detail() {
    let refused = |status: Status| {
        let response = with_detail(status.into_http());
        let status = Status::from_header_map(response.headers()).unwrap();
        let bytes = status.metadata().get_bin(ERROR_DETAIL_KEY).unwrap().to_bytes().unwrap();
        (status.code(), error_from_wire(&bytes).unwrap())
    };
    let (code, error) = refused(Status::out_of_range("Error, decoded message length too large"));
    assert_eq!((code, error.code), (tonic::Code::InvalidArgument, Code::Invalid));
    assert_eq!(error.message, "the request can't be read: decoded message length too large");
    let unknown = with_detail(Status::unimplemented("").into_http());
    let unknown = Status::from_header_map(unknown.headers()).unwrap();
    assert_eq!(crate::rig::detail(&unknown).code, VERSION_MISMATCH);
    let (code, error) = refused(Status::deadline_exceeded("slow"));
    assert_eq!((code, error.code), (tonic::Code::DeadlineExceeded, Code::Unavailable));
    let (code, error) = refused(Status::data_loss("odd"));
    assert_eq!((code, error.code), (tonic::Code::DataLoss, Code::Internal));
}

#[test]
fn a_detail_of_ours_is_left_alone() {
    let error = Error::new(Code::Internal, "a defect");
    let response = with_detail(to_status(error.clone()).into_http());
    let status = Status::from_header_map(response.headers()).unwrap();
    let bytes = status.metadata().get_bin(ERROR_DETAIL_KEY).unwrap().to_bytes().unwrap();
    assert_eq!(error_from_wire(&bytes).unwrap(), error);
}

#[test]
fn an_answer_that_went_well_is_left_alone() {
    let response = with_detail(Response::new(Body::default()));
    assert!(response.headers().is_empty());
}
