#[derive(Default)]
pub(crate) struct Arguments {}
pub(crate) struct Settings {}
