import HTTP
import Synchronization

/// A request to a service.
struct ServiceRequest: Sendable, Equatable {
    var method: String
    var url: String
    var headers: [String: String] = [:]
    var body: [UInt8] = []
    /// For the whole exchange.
    var timeout = Duration.seconds(30)
}

/// A service's answer.
struct ServiceResponse: Sendable, Equatable {
    var status: Int
    var body: [UInt8] = []
    var headers: HTTPHeaders = [:]
}

/// No answer came.
struct TransportFailure: Error, Equatable {
    let reason: String
    /// The request may have been carried out.
    var mayHaveArrived = false
}

/// Carries requests to services, so that tests can carry them elsewhere.
protocol HTTPTransport: Sendable {
    /// Sends a request.
    ///
    /// - Throws: `TransportFailure` when no answer came.
    func send(_ request: ServiceRequest) async throws -> ServiceResponse
}

/// The real thing: one client, made for the first request, so that `--help` starts no thread.
final class NetworkTransport: HTTPTransport {
    private let client = Mutex<HTTPClient?>(nil)

    func send(_ request: ServiceRequest) async throws -> ServiceResponse {
        let client = client.withLock { client in
            let made = client ?? HTTPClient()
            client = made
            return made
        }
        var outgoing = HTTPClient.Request(request.method, request.url)
        for (name, value) in request.headers { outgoing.headers[name] = value }
        outgoing.body = request.body
        outgoing.timeout = request.timeout
        outgoing.connectTimeout = min(request.timeout, .seconds(3))
        outgoing.maximumBodySize = 64 << 20
        do {
            let response = try await client.send(outgoing)
            return ServiceResponse(status: response.status, body: response.body, headers: response.headers)
        } catch let failure as HTTPClient.Failure {
            throw TransportFailure(reason: Self.describe(failure), mayHaveArrived: failure.isUnknown)
        }
    }

    /// Short where the kind says it all: the address stands in the message already.
    private static func describe(_ failure: HTTPClient.Failure) -> String {
        switch failure.code {
        case .refused: "connection refused"
        case .unresolved: "the name of its host is not known"
        case .timeout: "no answer in time"
        case .reset: "the connection broke off"
        default: failure.reason
        }
    }

    /// Ends the client's thread.
    func close() {
        client.withLock { client in
            client?.close()
            client = nil
        }
    }
}
