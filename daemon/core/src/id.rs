//! Names of things, each a type of its own, so that a turn can't be passed for a session.
//!
//! Ids are opaque text: made once by [`crate::env::Env::fresh_id`], never reused, never changed.

use std::fmt;
use std::sync::Arc;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Takes text for an id; the text is not examined.
            pub fn new(text: impl Into<Arc<str>>) -> Self {
                Self(text.into())
            }

            /// The id as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), self.0)
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.into())
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self(text.into())
            }
        }
    };
}

id! {
    /// A conversation.
    SessionId
}
id! {
    /// One run of the agent, from a message to its end.
    TurnId
}
id! {
    /// A message, a tool call or a notice inside a turn.
    ItemId
}
id! {
    /// A tool call, as its provider named it.
    CallId
}
id! {
    /// A question to a person, whether a call may be made.
    ApprovalId
}
id! {
    /// A mutating call of a client: the same id is the same command, however often it arrives.
    OpId
}
