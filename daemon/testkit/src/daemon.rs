//! A real `moltisd` in a temporary home.
