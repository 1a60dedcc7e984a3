//! What the pieces of some code are, as protobuf.

use moltis_core::code::{Piece, Pieces, Token};
use moltis_proto::v1;

/// The pieces of some code; none when nothing is known of it.
pub fn pieces_to_wire(pieces: Option<Pieces>) -> v1::HighlightResponse {
    let line = |pieces: Vec<Piece>| v1::HighlightedLine {
        pieces: pieces.into_iter().map(piece_to_wire).collect(),
    };
    v1::HighlightResponse { lines: pieces.into_iter().flatten().map(line).collect() }
}

fn piece_to_wire(piece: Piece) -> v1::Piece {
    let token = match piece.token {
        Token::Plain => v1::Token::Unspecified,
        Token::Keyword => v1::Token::Keyword,
        Token::Function => v1::Token::Function,
        Token::Type => v1::Token::Type,
        Token::String => v1::Token::String,
        Token::Number => v1::Token::Number,
        Token::Comment => v1::Token::Comment,
        Token::Inserted => v1::Token::Inserted,
        Token::Deleted => v1::Token::Deleted,
    };
    v1::Piece { length: piece.length, token: token.into() }
}
