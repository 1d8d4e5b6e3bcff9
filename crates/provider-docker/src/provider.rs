//! The provider, and one connection of it to an engine.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bollard::Docker;
use bollard::models::{ContainerSummary, ImageSummary, Network, Volume};
use bollard::query_parameters::{
    ListContainersOptions, ListImagesOptions, ListNetworksOptions, ListVolumesOptions,
};
use futures_util::{StreamExt as _, stream};
use plumb_model::addr::Kind;
use plumb_model::event::Remote;
use plumb_model::schema::ProviderSchema;
use plumb_model::state::Token;
use plumb_model::value::Value;
use plumb_provider::{
    CallContext, Connection, Edge, Failure, Foreign, Ours, Outcome, Provider, ReadRequest, Touched,
};

use crate::args::Args;
use crate::auth::{Keyring, RegistryAuth};
use crate::endpoint::{self, Environment, Where};
use crate::failure::OrFail as _;
use crate::reference::Reference;
use crate::registry::Registry;
use crate::{beside, connect, follow, schema};
use crate::{commit, container, context, data, image, network, registry_image, tag, volume};

/// The label that carries the name of the call which made an object.
pub(crate) const TOKEN_LABEL: &str = "plumb.token";

/// No answer of the engine takes longer; how long a step may take is the caller's business.
const TIMEOUT: Duration = Duration::from_secs(1800);

/// How long something may still be on its way that was asked for before we were killed. Nothing
/// tells what the engine is about to make.
const ON_ITS_WAY: Duration = Duration::from_secs(3);

/// Reads, and inspections in one read, that are under way at once.
pub(crate) const READS_AT_ONCE: usize = 8;

/// Docker Engine.
#[derive(Debug, Default)]
pub struct DockerProvider {
    schema: OnceLock<Arc<ProviderSchema>>,
}

/// An engine that answers.
pub(crate) struct Engine {
    pub(crate) docker: Docker,
    pub(crate) keyring: Keyring,
    /// Relative paths start here.
    pub(crate) directory: PathBuf,
    registry: OnceLock<Registry>,
}

#[async_trait]
impl Provider for DockerProvider {
    fn schema(&self) -> &Arc<ProviderSchema> {
        self.schema.get_or_init(|| Arc::new(schema::provider()))
    }

    fn topology(&self, kind: &Kind, attrs: &Value) -> Vec<plumb_topology::Piece> {
        crate::topology::pieces(kind, attrs)
    }

    async fn connect(&self, config: &Value, edge: &Edge) -> Result<Arc<dyn Connection>, Failure> {
        let args = Args(config);
        let environment = environment(edge);
        let summary = "Invalid Docker provider configuration";
        let invalid = |e: &dyn std::error::Error| Failure::new(summary, e.to_string());
        let wanted = Where {
            host: args.string("host"),
            context: args.string("context"),
            ssh_opts: args.strings("ssh_opts").unwrap_or_default(),
            ca_material: args.string("ca_material"),
            cert_material: args.string("cert_material"),
            key_material: args.string("key_material"),
            cert_path: args.string("cert_path"),
        };
        let endpoint = endpoint::decide(&wanted, &environment).map_err(|e| invalid(&e))?;
        let blocks: Vec<_> = args.blocks("registry_auth").map(registry_auth).collect();
        let keyring = Keyring::load(&blocks, environment.config_dir.as_deref());
        let keyring = keyring.map_err(|e| invalid(&e))?;
        let docker = connect::client(&endpoint, TIMEOUT);
        let docker = docker
            .map_err(|e| Failure::new("Cannot connect to the Docker engine", e.to_string()))?;
        if !args.is("disable_docker_daemon_check") {
            docker.ping().await.or_fail(|| "get a sign of life from the engine".to_owned())?;
        }
        let directory = environment.working_dir;
        Ok(Arc::new(Engine { docker, keyring, directory, registry: OnceLock::new() }))
    }

    async fn fact(&self, kind: &str, query: &Value, edge: &Edge) -> Result<Value, Failure> {
        match kind {
            image::CONTEXT_HASH => {
                let args = Args(query);
                let root = edge.directory.join(args.str("context").unwrap_or("."));
                let dockerfile = args.str("dockerfile").unwrap_or("Dockerfile").to_owned();
                let hash = tokio::task::spawn_blocking(move || {
                    context::open(&root, &dockerfile).and_then(|context| context.hash())
                });
                match hash.await {
                    Ok(Ok(hash)) => Ok(Value::string(hash)),
                    Ok(Err(e)) => Err(Failure::new("Invalid build context", e.to_string())),
                    Err(e) => Err(Failure::new("Cannot read the build context", e.to_string())),
                }
            }
            _ => Err(Failure::new(format!("unknown fact {kind}"), "")),
        }
    }
}

fn environment(edge: &Edge) -> Environment {
    let var = |name: &str| edge.env.get(name).filter(|value| !value.is_empty()).cloned();
    let home = || edge.home.as_ref().map(|home| home.join(".docker"));
    Environment {
        docker_host: var("DOCKER_HOST"),
        docker_context: var("DOCKER_CONTEXT"),
        docker_cert_path: var("DOCKER_CERT_PATH"),
        docker_tls_verify: var("DOCKER_TLS_VERIFY").is_some(),
        config_dir: var("DOCKER_CONFIG").map(PathBuf::from).or_else(home),
        working_dir: edge.directory.clone(),
    }
}

fn registry_auth(block: Args<'_>) -> RegistryAuth {
    RegistryAuth {
        address: block.string("address").unwrap_or_default(),
        username: block.string("username"),
        password: block.string("password"),
        config_file: block.string("config_file"),
        config_file_content: block.string("config_file_content"),
        auth_disabled: block.is("auth_disabled"),
    }
}

/// What one read needs to know of everything that is there: one list call of a kind, if any.
#[derive(Default)]
pub(crate) struct Lists {
    pub(crate) containers: Option<Result<Vec<ContainerSummary>, Failure>>,
    pub(crate) networks: Option<Result<Vec<Network>, Failure>>,
    pub(crate) volumes: Option<Result<Vec<Volume>, Failure>>,
    pub(crate) images: Option<Result<Vec<ImageSummary>, Failure>>,
}

/// One of the lists; it was asked for, because the kind that needs it was.
pub(crate) fn listed<T>(list: &Option<Result<Vec<T>, Failure>>) -> Result<&[T], Failure> {
    match list {
        Some(Ok(list)) => Ok(list),
        Some(Err(failure)) => Err(failure.clone()),
        None => Err(Failure::new("Cannot read", "This kind of object was not listed.")),
    }
}

impl Engine {
    async fn lists(&self, requests: &[ReadRequest]) -> Lists {
        let any = |kinds: &[&str]| requests.iter().any(|it| kinds.contains(&&*it.kind));
        let mut lists = Lists::default();
        if any(&["docker_container"]) {
            lists.containers = Some(self.containers(None).await);
        }
        if any(&["docker_network"]) {
            lists.networks = Some(self.networks(None).await);
        }
        if any(&["docker_volume"]) {
            lists.volumes = Some(self.volumes(None).await);
        }
        if any(&["docker_image", "docker_tag", "docker_commit"]) {
            lists.images = Some(self.images(None).await);
        }
        lists
    }

    /// All containers, or those with the token.
    pub(crate) async fn containers(
        &self,
        token: Option<Token>,
    ) -> Result<Vec<ContainerSummary>, Failure> {
        let filters = token.map(by_token);
        let options = ListContainersOptions { all: true, filters, ..Default::default() };
        self.docker.list_containers(Some(options)).await.or_fail(|| "list containers".to_owned())
    }

    pub(crate) async fn networks(&self, token: Option<Token>) -> Result<Vec<Network>, Failure> {
        let options = ListNetworksOptions { filters: token.map(by_token) };
        self.docker.list_networks(Some(options)).await.or_fail(|| "list networks".to_owned())
    }

    pub(crate) async fn volumes(&self, token: Option<Token>) -> Result<Vec<Volume>, Failure> {
        let options = ListVolumesOptions { filters: token.map(by_token) };
        let answer = self.docker.list_volumes(Some(options)).await;
        Ok(answer.or_fail(|| "list volumes".to_owned())?.volumes.unwrap_or_default())
    }

    pub(crate) async fn images(&self, token: Option<Token>) -> Result<Vec<ImageSummary>, Failure> {
        let filters = token.map(by_token);
        let options = ListImagesOptions { filters, digests: true, ..Default::default() };
        self.docker.list_images(Some(options)).await.or_fail(|| "list images".to_owned())
    }

    pub(crate) fn registry(&self) -> Result<&Registry, Failure> {
        if let Some(registry) = self.registry.get() {
            return Ok(registry);
        }
        let registry = Registry::new().or_fail(|| "talk to registries".to_owned())?;
        Ok(self.registry.get_or_init(|| registry))
    }

    /// Credentials for the registry of a name: those of an `auth_config` block, else the keyring's.
    pub(crate) async fn credentials(
        &self,
        reference: &Reference,
        given: Option<Args<'_>>,
    ) -> Result<Option<crate::auth::Credentials>, Failure> {
        if let Some(block) = given
            && let Some(username) = block.string("username")
        {
            return Ok(Some(crate::auth::Credentials {
                username,
                password: block.string("password").unwrap_or_default(),
                server_address: block.string("address").unwrap_or_default(),
                ..Default::default()
            }));
        }
        let found = self.keyring.credentials(&reference.host).await;
        found.map_err(|e| Failure::new("Cannot read registry credentials", e.to_string()))
    }

    async fn find_now(
        &self,
        kind: &Kind,
        token: Token,
        planned: &Value,
    ) -> Result<Option<Remote>, Failure> {
        match &**kind {
            "docker_container" => container::find(self, token, planned).await,
            "docker_network" => network::find(self, token, planned).await,
            "docker_volume" => volume::find(self, token, planned).await,
            "docker_image" => image::find(self, token, planned).await,
            "docker_tag" => tag::find(self, planned).await,
            "docker_commit" => commit::find(self, token, planned).await,
            "docker_registry_image" => registry_image::find(self, planned).await,
            other => Err(unknown(other)),
        }
    }

    async fn read_one(
        &self,
        lists: &Lists,
        request: &ReadRequest,
    ) -> Result<Option<Remote>, Failure> {
        let prior = &request.prior;
        match &*request.kind {
            "docker_container" => container::read(self, lists, request).await,
            "docker_network" => network::read(self, lists, prior).await,
            "docker_volume" => volume::read(lists, prior),
            "docker_image" => image::read(lists, prior),
            "docker_tag" => tag::read(lists, prior),
            "docker_commit" => commit::read(lists, prior),
            "docker_registry_image" => registry_image::read(self, prior).await,
            other => Err(unknown(other)),
        }
    }
}

/// Whether the engine goes on with a creation when nobody waits for it any more, and another
/// creation would not come to the same.
fn outlives_its_caller(kind: &str) -> bool {
    ["docker_container", "docker_network", "docker_commit", "docker_image"].contains(&kind)
}

fn by_token(token: Token) -> std::collections::HashMap<String, Vec<String>> {
    by_label(format!("{TOKEN_LABEL}={token}"))
}

pub(crate) fn by_label(label: String) -> std::collections::HashMap<String, Vec<String>> {
    [("label".to_owned(), vec![label])].into()
}

fn unknown(kind: &str) -> Failure {
    Failure::new("Invalid resource type", format!("The Docker provider has no `{kind}`."))
}

#[async_trait]
impl Connection for Engine {
    async fn read(&self, requests: &[ReadRequest]) -> Vec<Result<Option<Remote>, Failure>> {
        let lists = self.lists(requests).await;
        let reads: Vec<_> = requests.iter().map(|it| self.read_one(&lists, it)).collect();
        stream::iter(reads).buffered(READS_AT_ONCE).collect().await
    }

    async fn find(
        &self,
        kind: &Kind,
        token: Token,
        planned: &Value,
    ) -> Result<Option<Remote>, Failure> {
        let begun = Instant::now();
        loop {
            let made = self.find_now(kind, token, planned).await?;
            if made.is_some() || !outlives_its_caller(kind) || begun.elapsed() > ON_ITS_WAY {
                return Ok(made);
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    async fn import(&self, kind: &Kind, id: &str) -> Result<Option<Remote>, Failure> {
        match &**kind {
            "docker_container" => container::import(self, id).await,
            "docker_network" => network::import(self, id).await,
            "docker_volume" => volume::import(self, id).await,
            "docker_image" => image::import(self, id).await,
            other => Err(Failure::new(
                "Resource Import Not Implemented",
                format!("A {other} cannot be imported: the engine does not say how it was made."),
            )),
        }
    }

    async fn data(&self, kind: &Kind, config: &Value) -> Result<Value, Failure> {
        let config = &data::defaulted(kind, config);
        match &**kind {
            "docker_image" => data::image(self, config).await,
            "docker_logs" => data::logs(self, config).await,
            "docker_network" => data::network(self, config).await,
            "docker_registry_image" => data::registry_image(self, config).await,
            other => Err(unknown(other)),
        }
    }

    async fn beside(&self, ours: &[Ours]) -> Result<Vec<Foreign>, Failure> {
        beside::beside(self, ours).await
    }

    async fn follow(
        &self,
        ours: &[Ours],
        touched: &(dyn Fn(Touched) + Send + Sync),
    ) -> Result<(), Failure> {
        follow::follow(self, ours, touched).await
    }

    async fn create(&self, call: &CallContext, kind: &Kind, planned: &Value) -> Outcome {
        match &**kind {
            "docker_container" => container::create(self, call, planned).await,
            "docker_network" => network::create(self, call, planned).await,
            "docker_volume" => volume::create(self, call, planned).await,
            "docker_image" => image::create(self, call, planned).await,
            "docker_tag" => tag::create(self, planned).await,
            "docker_commit" => commit::create(self, call, planned).await,
            "docker_registry_image" => registry_image::create(self, call, planned).await,
            other => Outcome::failed(unknown(other)),
        }
    }

    async fn update(
        &self,
        call: &CallContext,
        kind: &Kind,
        prior: &Remote,
        planned: &Value,
    ) -> Outcome {
        match &**kind {
            "docker_container" => container::update(self, call, prior, planned).await,
            "docker_image" => image::update(self, prior, planned).await,
            "docker_commit" => commit::update(self, prior, planned).await,
            // What can change of these is only how they are to be deleted.
            "docker_network" | "docker_volume" | "docker_tag" | "docker_registry_image" => {
                Outcome::made(planned.clone())
            }
            other => Outcome::failed(unknown(other)),
        }
    }

    async fn delete(&self, call: &CallContext, kind: &Kind, prior: &Remote) -> Outcome {
        let prior = &prior.attrs;
        let result = match &**kind {
            "docker_container" => container::delete(self, call, prior).await,
            "docker_network" => network::delete(self, prior).await,
            "docker_volume" => volume::delete(self, prior).await,
            "docker_image" => image::delete(self, prior).await,
            "docker_tag" => tag::delete(self, prior).await,
            "docker_commit" => commit::delete(self, prior).await,
            "docker_registry_image" => registry_image::delete(self, prior).await,
            other => Err(unknown(other)),
        };
        match result {
            Ok(()) => Outcome::deleted(),
            Err(failure) => Outcome::failed(failure),
        }
    }
}

/// One line of progress.
pub(crate) fn say(call: &CallContext, message: impl Into<String>, amount: Option<(u64, u64)>) {
    (call.progress)(plumb_provider::Progress { message: message.into(), amount });
}

/// A refusal of ours, in the engine's place.
pub(crate) fn refuse(doing: &str, why: impl Into<String>) -> Failure {
    Failure::new(format!("Cannot {doing}"), why)
}
