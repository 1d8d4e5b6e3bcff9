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
    pub(crate) fn status(&self) -> Option<u16> {
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
    pub(crate) async fn patch(
        &self,
        _service: Service,
        _path: &str,
        _body: &Json,
    ) -> Result<Json, ApiError> {
        todo!()
    }
    pub(crate) async fn token_id(&self) -> Result<String, Failure> {
        todo!()
    }
    pub(crate) async fn identity(&self) -> Result<Identity, Failure> {
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

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Identity {
    pub user_id: String,
    pub user_name: String,
    pub user_domain_id: String,
    pub user_domain_name: String,
    pub project_id: String,
    pub project_name: String,
    pub project_domain_id: String,
    pub project_domain_name: String,
    pub domain_id: String,
    pub domain_name: String,
    pub roles: Vec<(String, String)>,
    pub expires_at: String,
    pub catalog: Vec<CatalogEntry>,
}
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct CatalogEntry {
    pub id: String,
    pub service: String,
    pub name: String,
    pub endpoints: Vec<Endpoint>,
}
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Endpoint {
    pub id: String,
    pub interface: String,
    pub region: String,
    pub region_id: String,
    pub url: String,
}
