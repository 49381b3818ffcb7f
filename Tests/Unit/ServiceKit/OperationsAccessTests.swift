import HTTP
import Testing

@testable import ServiceKit

@Suite("Access to the operations API")
struct OperationsAccessTests {
    private static func request(loopback: Bool, _ headers: HTTPHeaders = [:]) -> HTTPRequest {
        var request = HTTPRequest(method: "GET", path: "/dead-letters")
        request.isLoopback = loopback
        request.headers = headers
        return request
    }

    private static func problem(_ token: String?, _ request: HTTPRequest) -> Problem? {
        do {
            try OperationsAccess(token: token).check(request)
            return nil
        } catch {
            return error as? Problem
        }
    }

    @Test("with a token is for whoever sends it, from anywhere", arguments: [true, false])
    func rightToken(loopback: Bool) {
        for header in ["Bearer s3cret", "bearer s3cret", "BEARER   s3cret"] {
            #expect(Self.problem("s3cret", Self.request(loopback: loopback, ["Authorization": header])) == nil)
        }
    }

    @Test(
        "with a token is refused without it, on loopback too",
        arguments: [
            nil, "", "Bearer", "Bearer ", "Bearer s3cre", "Bearer s3crets", "Bearer S3CRET", "Basic s3cret", "s3cret",
            "Bearer s3cret s3cret", "Bearer s3crets3cret",
        ] as [String?]
    )
    func wrongToken(header: String?) throws {
        var headers: HTTPHeaders = [:]
        headers["Authorization"] = header
        let problem = try #require(Self.problem("s3cret", Self.request(loopback: true, headers)))
        #expect(problem.status == 401)
        #expect(problem.headers["WWW-Authenticate"]?.hasPrefix("Bearer") == true)
        #expect(problem.detail?.contains("s3cre") == false)
    }

    @Test("without a token is for loopback")
    func loopback() throws {
        #expect(Self.problem(nil, Self.request(loopback: true)) == nil)
        for host in ["127.0.0.1:8081", "localhost", "LocalHost:8081", "[::1]:8081"] {
            #expect(Self.problem(nil, Self.request(loopback: true, ["Host": host])) == nil)
        }
        let problem = try #require(Self.problem(nil, Self.request(loopback: false, ["Authorization": "Bearer "])))
        #expect(problem.status == 403)
        #expect(problem.slug == "loopback-only")
    }

    @Test(
        "without a token is refused where someone else stands behind the peer on loopback",
        arguments: [
            ("X-Forwarded-For", "10.0.0.1"), ("Forwarded", "for=10.0.0.1"), ("Via", "1.1 proxy"),
            ("Host", "evil.example:8081"), ("Host", "127.0.0.1.evil.example"), ("Origin", "https://evil.example"),
            ("Origin", "null"), ("Sec-Fetch-Site", "cross-site"),
        ]
    )
    func disguises(name: String, value: String) {
        var headers: HTTPHeaders = ["Host": "127.0.0.1:8081"]
        headers[name] = value
        #expect(Self.problem(nil, Self.request(loopback: true, headers))?.status == 403)
    }

    @Test("compares tokens as a whole")
    func comparison() {
        #expect(OperationsAccess.areEqual("abc", "abc"))
        for other in ["", "ab", "abcd", "abd", "Abc", "abcabc"] {
            #expect(!OperationsAccess.areEqual(other, "abc"))
            #expect(!OperationsAccess.areEqual("abc", other))
        }
    }
}
