#!/usr/bin/python3
"""Fills the rig through its own APIs, once; every step looks first, so a run that broke off can be repeated.

seed.py identity   services, endpoints, the services' users, projects and users
seed.py resources  provider network, flavors, image, application credential, clouds.yaml
"""
import argparse
import json
import os
import time
import urllib.error
import urllib.parse
import urllib.request

parser = argparse.ArgumentParser()
parser.add_argument("stage", choices=["identity", "resources"])
parser.add_argument("--auth-url", required=True)
parser.add_argument("--password", required=True)
parser.add_argument("--clouds", required=True)
parser.add_argument("--endpoint", action="append", required=True, help="TYPE=URL")
parser.add_argument("--public", required=True, help="CIDR,GATEWAY,FIRST,LAST")
options = parser.parse_args()

SERVICES = {"image": "glance", "placement": "placement", "compute": "nova", "network": "neutron", "volumev3": "cinder"}
FLAVORS = [  # name, MB of memory, GB of disk, vcpus. One size of disk, so that a resize can go either way.
    ("m1.tiny", 128, 1, 1), ("m1.small", 512, 1, 1), ("m1.medium", 1024, 1, 2),
    ("m1.huge", 2_000_000, 1, 1),  # fits nowhere: "no valid host"
]
USERS = {"demo": "demo", "other": "other"}  # user: project
opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
endpoints = dict(pair.split("=", 1) for pair in options.endpoint)
token = None


def call(method, url, body=None, content_type="application/json"):
    """The response and its parsed body. Waits for a service that has just begun to listen."""
    data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
    headers = {"Accept": "application/json", "Content-Type": content_type}
    if token:
        headers["X-Auth-Token"] = token
    for _ in range(60):
        try:
            with opener.open(urllib.request.Request(url, data, headers, method=method), timeout=120) as response:
                answer = response.read()
                return response, json.loads(answer) if answer else None
        except urllib.error.HTTPError as error:
            text = error.read().decode(errors="replace")
            if error.code < 500:
                raise SystemExit("%s %s: %s %s" % (method, url, error.code, text[:500]))
            last = "%s %s" % (error.code, text[:500])
        except OSError as error:
            last = error
        time.sleep(1)
    raise SystemExit("%s %s: %s" % (method, url, last))


def sign_in(user, project):
    global token
    token = None
    response, answer = call("POST", options.auth_url + "/auth/tokens", {"auth": {
        "identity": {"methods": ["password"], "password": {
            "user": {"name": user, "domain": {"id": "default"}, "password": options.password}}},
        "scope": {"project": {"name": project, "domain": {"id": "default"}}}}})
    token = response.headers["X-Subject-Token"]
    return answer["token"]["user"]["id"]


def ensure(collection, singular, body, query=None, key=None):
    """The object that `query` finds in the collection, made from `body` if there is none."""
    key = key or collection.rsplit("/", 1)[1]
    query = urllib.parse.urlencode(query or {"name": body["name"]})
    found = call("GET", "%s?%s" % (collection, query))[1][key]
    if not found:
        answer = call("POST", collection, {singular: body} if singular else body)[1]
        found = [answer[singular] if singular else answer]
    return found[0]


def identity():
    keystone = options.auth_url
    sign_in("admin", "admin")
    roles = {name: ensure(keystone + "/roles", "role", {"name": name})["id"] for name in ("admin", "member", "service")}

    def user(name, project_name, *role_names):
        project = ensure(keystone + "/projects", "project", {"name": project_name, "domain_id": "default"})["id"]
        made = ensure(keystone + "/users", "user", {
            "name": name, "domain_id": "default", "password": options.password, "default_project_id": project})["id"]
        for role in role_names:
            call("PUT", "%s/projects/%s/users/%s/roles/%s" % (keystone, project, made, roles[role]))

    for kind, name in SERVICES.items():
        user(name, "service", "admin", "service")
        service = ensure(keystone + "/services", "service", {"name": name, "type": kind})["id"]
        for interface in ("public", "internal", "admin"):
            ensure(keystone + "/endpoints", "endpoint", {
                "service_id": service, "interface": interface, "url": endpoints[kind], "region_id": "RegionOne",
            }, query={"service_id": service, "interface": interface})
    for name, project in USERS.items():
        user(name, project, "member")


def resources():
    sign_in("admin", "admin")
    network, image, compute = endpoints["network"] + "/v2.0", endpoints["image"] + "/v2", endpoints["compute"]
    cidr, gateway, first, last = options.public.split(",")
    public = ensure(network + "/networks", "network", {
        "name": "public", "router:external": True, "shared": False,
        "provider:network_type": "flat", "provider:physical_network": "public"})["id"]
    ensure(network + "/subnets", "subnet", {
        "name": "public-v4", "network_id": public, "ip_version": 4, "cidr": cidr, "gateway_ip": gateway,
        "enable_dhcp": False, "allocation_pools": [{"start": first, "end": last}]})
    known = {flavor["name"] for flavor in call("GET", compute + "/flavors")[1]["flavors"]}
    for number, (name, ram, disk, vcpus) in enumerate(FLAVORS, 1):
        if name not in known:
            call("POST", compute + "/flavors", {"flavor": {
                "name": name, "ram": ram, "disk": disk, "vcpus": vcpus, "id": str(number)}})
    made = ensure(image + "/images", None, {
        "name": "rig", "disk_format": "raw", "container_format": "bare", "visibility": "public"})
    if made["status"] != "active":
        call("PUT", "%s/images/%s/file" % (image, made["id"]), b"the rig's image\n" * 65536, "application/octet-stream")

    # The secret is told only once, when the credential is made: so it is one that we know.
    user, secret = sign_in("demo", "demo"), options.password + "-appcred"
    credential = ensure("%s/users/%s/application_credentials" % (options.auth_url, user), "application_credential",
                        {"name": "rig", "secret": secret})["id"]
    write_clouds(credential, secret)


def write_clouds(credential, secret):
    common = {"region_name": "RegionOne", "interface": "public", "identity_api_version": 3}

    def by_password(user, project):
        return dict(common, auth_type="password", auth={
            "auth_url": options.auth_url, "username": user, "password": options.password, "project_name": project,
            "user_domain_name": "Default", "project_domain_name": "Default"})

    clouds = {"rig-admin": by_password("admin", "admin")}
    clouds.update(("rig-" + user, by_password(user, project)) for user, project in USERS.items())
    clouds["rig-appcred"] = dict(common, auth_type="v3applicationcredential", auth={
        "auth_url": options.auth_url, "application_credential_id": credential,
        "application_credential_secret": secret})
    with open(options.clouds + ".new", "w", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
        yaml(file, {"clouds": clouds}, "")
    os.replace(options.clouds + ".new", options.clouds)


def yaml(file, mapping, indent):
    for key, value in mapping.items():
        if isinstance(value, dict):
            print("%s%s:" % (indent, key), file=file)
            yaml(file, value, indent + "  ")
        else:
            print("%s%s: %s" % (indent, key, json.dumps(value)), file=file)


{"identity": identity, "resources": resources}[options.stage]()
