use crate::auth::Settings;
use plumb_provider::Failure;
use serde_json::Value as Json;
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Service {
    Identity,
    Network,
    Compute,
    Image,
    Volume,
    Placement,
}
pub(crate) struct Session;
#[derive(Debug)]
pub(crate) enum ApiError {
    Unsent {},
    Lost {},
    Refused { status: u16, code: String, message: String },
}
impl ApiError {
    pub(crate) fn failure(&self, _doing: &str) -> Failure {
        todo!()
    }
    pub(crate) fn is_missing(&self) -> bool {
        todo!()
    }
    pub(crate) fn is_conflict(&self) -> bool {
        todo!()
    }
}
impl Session {
    pub(crate) fn new(_settings: Settings) -> Result<Session, Failure> {
        todo!()
    }
    pub(crate) async fn authenticate(&self) -> Result<(), Failure> {
        todo!()
    }
    pub(crate) async fn get(&self, _service: Service, _path: &str) -> Result<Json, ApiError> {
        todo!()
    }
    pub(crate) async fn post(
        &self,
        _service: Service,
        _path: &str,
        _body: &Json,
    ) -> Result<Json, ApiError> {
        todo!()
    }
    pub(crate) async fn put(
        &self,
        _service: Service,
        _path: &str,
        _body: &Json,
    ) -> Result<Json, ApiError> {
        todo!()
    }
    pub(crate) async fn delete(&self, _service: Service, _path: &str) -> Result<(), ApiError> {
        todo!()
    }
    pub(crate) async fn list(
        &self,
        _service: Service,
        _path: &str,
        _key: &str,
    ) -> Result<Vec<Json>, ApiError> {
        todo!()
    }
    pub(crate) fn region(&self) -> Option<String> {
        todo!()
    }
}
