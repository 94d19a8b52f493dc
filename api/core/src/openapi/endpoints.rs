//! Endpoints, each registered together with its description.
//!
//! Every group of endpoints lists its handlers once, in [`Endpoints`]. The routes of the server and the
//! paths of the document both come from this list, so neither can have an endpoint that the other lacks.

use actix_web::body::BoxBody;
use actix_web::dev::{Handler, ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::middleware::{Next, from_fn};
use actix_web::web::{self, ServiceConfig};
use actix_web::{Error, FromRequest, HttpResponse, Resource, Responder, Route, Scope};
use std::rc::Rc;
use utoipa::__dev::Tags;
use utoipa::Path;
use utoipa::openapi::path::{Operation, Parameter, ParameterIn};
use utoipa::openapi::{HttpMethod, RefOr};

use crate::error::ApiError;
use crate::http::check_known;

/// A handler and the description that `#[utoipa::path]` made of its attribute: `endpoint!(users::create)`.
#[macro_export]
macro_rules! endpoint {
    ($handler:ident) => {
        $crate::openapi::paste! { ([<__path_ $handler>], $handler) }
    };
    ($module:ident::$handler:ident) => {
        $crate::openapi::paste! { ($module::[<__path_ $handler>], $module::$handler) }
    };
}

/// A group of endpoints below a common path.
pub struct Endpoints {
    base: &'static str,
    list: Vec<Endpoint>,
    /// Whether a query parameter that the description does not name is refused.
    is_strict: bool,
}

/// One method of one path.
struct Endpoint {
    path: String,
    method: HttpMethod,
    route: Route,
    describe: fn() -> Operation,
    /// Whether it is the first method of its handler. The others get an operation id of their own.
    is_first: bool,
}

impl Endpoints {
    /// No endpoints yet, below a path.
    pub fn below(base: &'static str) -> Self {
        Self { base, list: Vec::new(), is_strict: false }
    }

    /// Refuses every query parameter that the description of an endpoint does not name, with 400. Then a
    /// misspelt condition is never ignored. This holds for every endpoint of the group, because the routes come
    /// from the descriptions.
    #[must_use]
    pub fn strict(self) -> Self {
        Self { is_strict: true, ..self }
    }

    /// Adds a handler with its description, at the path and for the methods that the description names.
    #[must_use]
    pub fn with<D, H, Args>(mut self, (_, handler): (D, H)) -> Self
    where
        D: Path + Tags<'static>,
        H: Handler<Args>,
        H::Output: Responder + 'static,
        Args: FromRequest + 'static,
    {
        for (index, method) in D::methods().into_iter().enumerate() {
            let route = web::method(http(&method)).to(handler.clone());
            self.list.push(Endpoint { path: D::path(), method, route, describe: described::<D>, is_first: index == 0 });
        }
        self
    }

    /// A scope at the common path, with the endpoints.
    pub fn scope(self) -> Scope {
        web::scope(self.base).configure(|config| self.register(config))
    }

    /// Registers the endpoints without their common path. Any other method of their paths answers 405.
    pub fn register(self, config: &mut ServiceConfig) {
        let mut paths: Vec<(String, Vec<Endpoint>)> = Vec::new();
        for endpoint in self.list {
            let endpoint = if self.is_strict { endpoint.strict() } else { endpoint };
            match paths.iter_mut().find(|(path, _)| *path == endpoint.path) {
                Some((_, of_path)) => of_path.push(endpoint),
                None => paths.push((endpoint.path.clone(), vec![endpoint])),
            }
        }
        for (path, endpoints) in paths {
            config.service(resource(&path, endpoints));
        }
    }

    /// The operations of the document: path, method and description. HEAD is left out because it is GET
    /// without the body.
    pub fn operations(&self) -> impl Iterator<Item = (String, HttpMethod, Operation)> {
        let described = self.list.iter().filter(|endpoint| endpoint.method != HttpMethod::Head);
        described.map(|endpoint| {
            (format!("{}{}", self.base, template(&endpoint.path)), endpoint.method.clone(), endpoint.operation())
        })
    }
}

impl Endpoint {
    /// The same endpoint, which refuses query parameters that its description does not name.
    fn strict(self) -> Self {
        let known: Rc<[String]> = query_parameters(&(self.describe)()).into();
        let check = move |request: ServiceRequest, next: Next<BoxBody>| {
            let known = known.clone();
            async move {
                check_known(request.query_string(), &known).map_err(ApiError::from)?;
                next.call(request).await as Result<ServiceResponse<BoxBody>, Error>
            }
        };
        Self { route: self.route.wrap(from_fn(check)), ..self }
    }

    fn operation(&self) -> Operation {
        let mut operation = (self.describe)();
        if !self.is_first {
            let method = http(&self.method).as_str().to_ascii_lowercase();
            operation.operation_id = operation.operation_id.map(|id| format!("{id}_{method}"));
        }
        operation
    }
}

/// The description of a handler with its tags.
fn described<D: Path + Tags<'static>>() -> Operation {
    let mut operation = D::operation();
    operation.tags = Some(D::tags().into_iter().map(str::to_owned).collect());
    operation
}

/// The names of the query parameters of an operation.
fn query_parameters(operation: &Operation) -> Vec<String> {
    let of_query = |parameter: &RefOr<Parameter>| match parameter {
        RefOr::T(parameter) if matches!(parameter.parameter_in, ParameterIn::Query) => Some(parameter.name.clone()),
        // Our descriptions refer to no shared parameters.
        RefOr::T(_) | RefOr::Ref(_) => None,
    };
    operation.parameters.iter().flatten().filter_map(of_query).collect()
}

/// A path with its methods.
fn resource(path: &str, endpoints: Vec<Endpoint>) -> Resource {
    let allowed = endpoints.iter().map(|endpoint| http(&endpoint.method).to_string()).collect::<Vec<_>>().join(", ");
    let refuse = move || {
        let allowed = allowed.clone();
        async move { Err::<HttpResponse, _>(ApiError::MethodNotAllowed { allowed }) }
    };
    let resource = endpoints.into_iter().fold(web::resource(path), |resource, endpoint| resource.route(endpoint.route));
    resource.default_service(web::to(refuse))
}

/// A path as the document has it: `{index}` for the server's `{index:.*}`, which takes several segments.
fn template(path: &str) -> String {
    path.replace(":.*}", "}")
}

fn http(method: &HttpMethod) -> Method {
    match method {
        HttpMethod::Get => Method::GET,
        HttpMethod::Head => Method::HEAD,
        HttpMethod::Post => Method::POST,
        HttpMethod::Put => Method::PUT,
        HttpMethod::Patch => Method::PATCH,
        HttpMethod::Delete => Method::DELETE,
        HttpMethod::Options => Method::OPTIONS,
        HttpMethod::Trace => Method::TRACE,
    }
}
