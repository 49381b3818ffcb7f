import HTTP

extension Wiring.Route {
    /// `/openapi.yaml`: what the address serves, for whoever can reach it.
    static func document(_ yaml: [UInt8]) -> Wiring.Route {
        Wiring.Route(method: "GET", pattern: "/openapi.yaml", access: .anyone) { _ in
            HTTPResponse(status: 200, headers: ["Content-Type": "application/yaml"], body: yaml)
        }
    }
}
