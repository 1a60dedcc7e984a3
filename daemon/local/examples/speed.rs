fn main() { moltis_local::probe(std::path::Path::new(&std::env::args().nth(1).unwrap())); }
