//! Answers questions: those about objects of one provider together, others side by side.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use plumb_model::addr::{Kind, Mode, ObjectKey, ProviderAddr};
use plumb_model::event::Remote;
use plumb_model::question::{Answer, Observations, Question, QuestionKey};
use plumb_model::value::Value;
use plumb_provider::{Connection, Failure, ReadRequest};

use crate::Engine;
use crate::conform;
use crate::failures::text;
use crate::files;
use crate::observe::{Notice, Observer, id_of};
use crate::patience::{TRIES_MAX, guarded, pause, persist};
use crate::timeout::{DEFAULT, timeout};

type Read = Result<Option<Remote>, Failure>;

impl Engine {
    /// Answers every question. Failures are answers too: whoever asked decides what they mean.
    pub(crate) async fn ask_all(
        &self,
        questions: Vec<Question>,
        providers: &BTreeMap<Arc<ProviderAddr>, Value>,
        observer: &Arc<dyn Observer>,
    ) -> Observations {
        let mut reads: BTreeMap<Arc<ProviderAddr>, Vec<Question>> = BTreeMap::new();
        let mut single = Vec::new();
        for question in questions {
            match (&question.key, &question.provider) {
                (QuestionKey::Current(_), Some(provider)) => {
                    reads.entry(provider.clone()).or_default().push(question);
                }
                _ => single.push(question),
            }
        }
        let reads = reads.into_iter().map(|(provider, questions)| async move {
            let config = providers.get(&provider).cloned().unwrap_or(Value::NULL);
            self.read(&provider, &config, questions, observer).await
        });
        let single = single.into_iter().map(|question| async move {
            let config = question.provider.as_ref().and_then(|it| providers.get(it)).cloned();
            let answer = self.ask(&question, &config.unwrap_or(Value::NULL), observer).await;
            (question.key, answer)
        });
        let (reads, single) = tokio::join!(join_all(reads), join_all(single));
        reads.into_iter().flatten().chain(single).collect()
    }

    /// What many objects of one provider are now.
    async fn read(
        &self,
        provider: &Arc<ProviderAddr>,
        config: &Value,
        questions: Vec<Question>,
        observer: &Arc<dyn Observer>,
    ) -> Vec<(QuestionKey, Answer)> {
        let each = |notice: &dyn for<'a> Fn(&'a ObjectKey, &'a str) -> Notice<'a>| {
            for question in &questions {
                if let QuestionKey::Current(key) = &question.key {
                    observer.notice(notice(key, id_of(&question.subject).unwrap_or_default()));
                }
            }
        };
        each(&|key, id| Notice::RefreshStarted(key, id));
        let answers = match self.connections.get(provider, config).await {
            Ok(connection) => {
                let _permit = self.permit(&provider.source).await;
                let requests = questions.iter().map(|it| self.request(it)).collect();
                let results = read_all(&*connection, requests).await;
                let kinds = questions.iter().map(|it| &it.kind);
                kinds.zip(results).map(|(kind, it)| self.found(provider, kind, it)).collect()
            }
            Err(failure) => vec![failed(&failure); questions.len()],
        };
        each(&|key, id| Notice::RefreshDone(key, id));
        questions.into_iter().map(|it| it.key).zip(answers).collect()
    }

    /// Answers one question.
    pub(crate) async fn ask(
        &self,
        question: &Question,
        config: &Value,
        observer: &Arc<dyn Observer>,
    ) -> Answer {
        match &question.key {
            QuestionKey::File(file) => files::answer(file, &self.connections.edge.directory),
            QuestionKey::Fact { source, kind, query } => {
                self.fact(source, kind, query).await.map_or_else(|it| failed(&it), Answer::Value)
            }
            _ => match self.ask_connection(question, config, observer).await {
                Ok(answer) => answer,
                Err(failure) => failed(&failure),
            },
        }
    }

    async fn fact(&self, source: &str, kind: &str, query: &Value) -> Result<Value, Failure> {
        let provider = self.connections.provider(source)?;
        persist(DEFAULT, || provider.fact(kind, query, &self.connections.edge)).await
    }

    async fn ask_connection(
        &self,
        question: &Question,
        config: &Value,
        observer: &Arc<dyn Observer>,
    ) -> Result<Answer, Failure> {
        let Question { kind, subject, .. } = question;
        let provider = question.provider.as_ref().ok_or_else(|| {
            Failure::new("A question without a provider", "This is a bug in plumb.")
        })?;
        let connection = self.connections.get(provider, config).await?;
        let _permit = self.permit(&provider.source).await;
        Ok(match &question.key {
            QuestionKey::Current(_) => {
                let mut results = read_all(&*connection, vec![self.request(question)]).await;
                let result = results.pop().unwrap_or_else(|| unreachable!("one for each"));
                self.found(provider, kind, result)
            }
            QuestionKey::Made(token) => {
                let found = persist(DEFAULT, || connection.find(kind, *token, subject)).await;
                self.found(provider, kind, found)
            }
            QuestionKey::Import(_, id) => {
                let found = persist(DEFAULT, || connection.import(kind, id)).await;
                self.found(provider, kind, found)
            }
            QuestionKey::Data(addr, query) => {
                let key = addr.current();
                let limit = timeout(query, "read")?;
                observer.notice(Notice::ReadStarted(&key));
                let since = Instant::now();
                let value = persist(limit, || connection.data(kind, query)).await?;
                let value = conform::attrs(&self.schemas, provider, (Mode::Data, kind), value)?;
                let id = id_of(&value).unwrap_or_default();
                observer.notice(Notice::ReadDone(&key, since.elapsed(), id));
                Answer::Value(value)
            }
            QuestionKey::File(_) | QuestionKey::Fact { .. } => {
                unreachable!("these need no connection")
            }
        })
    }

    fn request(&self, question: &Question) -> ReadRequest {
        ReadRequest {
            kind: question.kind.clone(),
            prior: Remote {
                attrs: question.subject.clone(),
                private: question.private.clone(),
                complete: true,
            },
            whole: self.whole,
        }
    }

    fn found(&self, provider: &Arc<ProviderAddr>, kind: &Kind, result: Read) -> Answer {
        let checked = |it| conform::remote(&self.schemas, provider, kind, it);
        match result.and_then(|it| it.map(checked).transpose()) {
            Ok(Some(remote)) => Answer::Object(remote),
            Ok(None) => Answer::Gone,
            Err(failure) => failed(&failure),
        }
    }
}

/// What the objects are, in order; those that could not be seen for now are asked for again.
async fn read_all(connection: &dyn Connection, requests: Vec<ReadRequest>) -> Vec<Read> {
    let limit = |it: &ReadRequest| timeout(&it.prior.attrs, "read").unwrap_or(DEFAULT);
    let limit = requests.iter().map(limit).max().unwrap_or(DEFAULT);
    let deadline = tokio::time::Instant::now() + limit;
    let mut results: Vec<Read> = Vec::new();
    results.resize_with(requests.len(), || Ok(None));
    let mut left: Vec<usize> = (0..requests.len()).collect();
    let mut asked = requests.clone();
    for attempt in 1.. {
        let answers = tokio::time::timeout_at(deadline, guarded(connection.read(&asked))).await;
        let answers = match answers {
            Ok(Ok(answers)) if answers.len() == asked.len() => answers,
            Ok(Ok(answers)) => vec![Err(miscounted(asked.len(), answers.len())); asked.len()],
            Ok(Err(failure)) => vec![Err(failure); asked.len()],
            Err(_) => vec![Err(too_slow(limit)); asked.len()],
        };
        for (place, answer) in left.iter().zip(answers) {
            results[*place] = answer;
        }
        left.retain(|it| matches!(&results[*it], Err(failure) if failure.transient));
        if left.is_empty() || attempt == TRIES_MAX {
            break;
        }
        tokio::time::sleep(pause(attempt)).await;
        asked = left.iter().map(|it| requests[*it].clone()).collect();
    }
    results
}

fn miscounted(asked: usize, answered: usize) -> Failure {
    let detail = format!("It was asked for {asked} objects and spoke of {answered}.");
    Failure::new("The provider gave a wrong number of answers", detail)
}

fn too_slow(limit: Duration) -> Failure {
    let detail = format!(
        "Nothing was heard in {limit:?}. A `timeouts` block in the resource sets another limit, \
         where it has one."
    );
    Failure::new("Reading timed out", detail)
}

fn failed(failure: &Failure) -> Answer {
    let (summary, detail) = text(failure);
    Answer::Failed { summary: summary.into(), detail: detail.into() }
}
