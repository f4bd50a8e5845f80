//! Whether the server may do what is planned. It asks about itself: [`SelfSubjectAccessReview`] stores nothing.
//!
//! [`SelfSubjectAccessReview`]: https://kubernetes.io/docs/reference/access-authn-authz/authorization/

use approval_core::PlanError;
use http::Method;
use serde_json::{Value, json};

use super::unplannable;
use crate::Kubernetes;
use crate::operation::{Operation, Verb};

const PATH: &str = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";

impl Kubernetes {
    /// Refuses, in plain words, what would be forbidden.
    pub(super) async fn check_access(&self, operation: &Operation, made: bool) -> Result<(), PlanError> {
        let applies_anew = made && operation.verb == Verb::Apply;
        let verbs = [Some(operation.verb.authorized_as()), applies_anew.then_some("create")];
        for verb in verbs.into_iter().flatten() {
            self.check_verb(operation, verb).await?;
        }
        Ok(())
    }

    async fn check_verb(&self, operation: &Operation, verb: &str) -> Result<(), PlanError> {
        let resource = &operation.resource;
        let review = json!({
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": { "resourceAttributes": {
                "group": resource.group,
                "name": operation.object.name,
                "namespace": operation.object.namespace,
                "resource": resource.plural,
                "subresource": operation.subresource,
                "verb": verb,
                "version": resource.version,
            } },
        });
        let body = Some(("application/json", &review));
        let answer = self.cluster.send(Method::POST, PATH, body).await;
        let answer = answer.map_err(|fault| unplannable("the review of this server's access", &fault))?;
        if answer.body.pointer("/status/allowed") == Some(&Value::Bool(true)) {
            return Ok(());
        }
        let subresource = operation.subresource.as_ref().map(|name| format!("/{name}")).unwrap_or_default();
        let place = operation.object.namespace.as_ref().map(|name| format!(" in the namespace `{name}`"));
        Err(PlanError::Refused(format!(
            "this server may not `{verb}` `{}{subresource}`{}",
            resource.qualified(),
            place.unwrap_or_default()
        )))
    }
}
