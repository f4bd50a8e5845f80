//! Somebody who isn't asked, and looks at everything.

use std::collections::BTreeMap;
use std::time::Duration;

use http::{Method, Request};
use kube::Client;
use kube::client::Body;
use serde_json::{Value, json};

/// How often, and how long apart, what comes by itself is looked for.
const LOOKS: u32 = 300;
const BETWEEN: Duration = Duration::from_millis(100);

/// The end of the groups of custom resources that tests make.
pub const CUSTOM: &str = ".example.test";

/// An administrator's client, in plain JSON.
#[derive(Clone)]
pub struct Administrator(Client);

impl Administrator {
    pub(crate) fn new(client: Client) -> Self {
        Self(client)
    }

    /// One request: the status and the answer.
    pub async fn send(&self, method: Method, uri: &str, media_type: &str, body: Option<&Value>) -> (u16, Value) {
        let content = body.map(|body| serde_json::to_vec(body).unwrap()).unwrap_or_default();
        let request = Request::builder().method(method).uri(uri).header("content-type", media_type);
        let response = self.0.send(request.body(Body::from(content)).unwrap()).await.unwrap();
        let code = response.status().as_u16();
        let bytes = response.into_body().collect_bytes().await.unwrap();
        (code, serde_json::from_slice(&bytes).unwrap_or(Value::Null))
    }

    /// An object; `None` where there is none.
    pub async fn find(&self, path: &str) -> Option<Value> {
        match self.send(Method::GET, path, "application/json", None).await {
            (200, object) => Some(object),
            (404, _) => None,
            (code, answer) => panic!("{path}: {code} {answer}"),
        }
    }

    /// An object that is there.
    pub async fn get(&self, path: &str) -> Value {
        self.find(path).await.unwrap_or_else(|| panic!("{path} is not there"))
    }

    /// Makes an object in a collection.
    pub async fn create(&self, collection: &str, object: &Value) -> Value {
        let (code, answer) = self.send(Method::POST, collection, "application/json", Some(object)).await;
        assert_eq!(code, 201, "{collection}: {answer}");
        answer
    }

    /// Changes an object by a merge patch, as `meddler`.
    pub async fn merge(&self, path: &str, patch: &Value) -> Value {
        let uri = format!("{path}?fieldManager=meddler");
        let (code, answer) = self.send(Method::PATCH, &uri, "application/merge-patch+json", Some(patch)).await;
        assert_eq!(code, 200, "{path}: {answer}");
        answer
    }

    /// Deletes an object, and waits until it is gone.
    pub async fn delete(&self, path: &str) {
        let (code, answer) = self.send(Method::DELETE, path, "application/json", None).await;
        assert!((200..300).contains(&code), "{path}: {answer}");
        self.until(path, |object| object.is_none()).await;
    }

    /// Waits until an object is as it has to become by itself.
    pub async fn until(&self, path: &str, is_there: impl Fn(Option<&Value>) -> bool) {
        let mut looks = tokio::time::interval(BETWEEN);
        for _ in 0..LOOKS {
            looks.tick().await;
            let (code, answer) = self.send(Method::GET, path, "application/json", None).await;
            let found = (code == 200).then_some(&answer);
            // A kind that has just been made known is first there, and then served.
            if [200, 404].contains(&code) && is_there(found) {
                return;
            }
        }
        panic!("{path} has not become what was waited for");
    }

    /// Waits until a request is answered as it has to be by and by.
    pub async fn until_answered(&self, uri: &str, body: &Value, is_there: impl Fn(&Value) -> bool) {
        let mut looks = tokio::time::interval(BETWEEN);
        for _ in 0..LOOKS {
            looks.tick().await;
            let (_, answer) = self.send(Method::POST, uri, "application/json", Some(body)).await;
            if is_there(&answer) {
                return;
            }
        }
        panic!("{uri} has not been answered as was waited for");
    }

    pub(crate) async fn create_namespace(&self, name: &str) {
        self.create("/api/v1/namespaces", &json!({ "metadata": { "name": name } })).await;
    }

    /// The version of every object of a namespace, of every kind that the server lists, by its path.
    pub async fn versions(&self, namespace: &str) -> BTreeMap<String, String> {
        let mut versions = BTreeMap::new();
        let mut roots = vec!["/api/v1".to_owned()];
        for group in self.get("/apis").await["groups"].as_array().unwrap() {
            // Those of other tests come and go.
            if !group["name"].as_str().unwrap().ends_with(CUSTOM) {
                roots.push(format!("/apis/{}", group["preferredVersion"]["groupVersion"].as_str().unwrap()));
            }
        }
        for root in roots {
            for resource in self.get(&root).await["resources"].as_array().unwrap() {
                let can_list = resource["verbs"].as_array().unwrap().contains(&json!("list"));
                if resource["namespaced"] != true || !can_list {
                    continue;
                }
                let collection = format!("{root}/namespaces/{namespace}/{}", resource["name"].as_str().unwrap());
                for object in self.get(&collection).await["items"].as_array().unwrap() {
                    let metadata = &object["metadata"];
                    let path = format!("{collection}/{}", metadata["name"].as_str().unwrap());
                    versions.insert(path, metadata["resourceVersion"].as_str().unwrap().to_owned());
                }
            }
        }
        let own = self.get(&format!("/api/v1/namespaces/{namespace}")).await;
        versions.insert("the namespace".to_owned(), own["metadata"]["resourceVersion"].as_str().unwrap().to_owned());
        versions
    }
}
