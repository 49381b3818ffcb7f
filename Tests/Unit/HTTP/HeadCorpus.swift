import Testing

/// Bytes that two readers might understand differently, each beside its harmless twin.
struct HeadCase: Sendable, CustomTestStringConvertible {
    let name: String
    /// Refused with 400.
    let refused: String
    /// Answered with 200.
    let taken: String

    var testDescription: String { name }

    init(_ name: String, _ refused: String, taken: String) {
        self.name = name
        self.refused = refused
        self.taken = taken
    }

    /// What stands between the line and the end of a head; the body follows.
    static func fields(
        _ name: String,
        _ refused: String,
        taken: String,
        body: String = "",
        takenBody: String? = nil
    )
        -> HeadCase
    {
        func post(_ fields: String, _ body: String) -> String {
            "POST /length HTTP/1.1\r\nHost: x\r\n\(fields)\r\nConnection: close\r\n\r\n\(body)"
        }
        return HeadCase(name, post(refused, body), taken: post(taken, takenBody ?? body))
    }

    /// The first line.
    static func line(_ name: String, _ refused: String, taken: String, host: String = "x") -> HeadCase {
        func request(_ line: String) -> String { "\(line)\r\nHost: \(host)\r\nConnection: close\r\n\r\n" }
        return HeadCase(name, request(refused), taken: request(taken))
    }

    /// A whole body in chunks.
    static func chunks(_ name: String, _ refused: String, taken: String = "3\r\nabc\r\n0\r\n\r\n") -> HeadCase {
        .fields(
            name,
            "Transfer-Encoding: chunked",
            taken: "Transfer-Encoding: chunked",
            body: refused,
            takenBody: taken
        )
    }

    /// A request that would be answered if the one before it ended where the attacker wants.
    private static let inner = "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n"

    static let all: [HeadCase] = lines + targets + hosts + fields + lengths + codings + chunked

    private static let lines: [HeadCase] = [
        .line("two spaces before the target", "GET  /hello HTTP/1.1", taken: "GET /hello HTTP/1.1"),
        .line("two spaces before the version", "GET /hello  HTTP/1.1", taken: "GET /hello HTTP/1.1"),
        .line("a tab before the target", "GET\t/hello HTTP/1.1", taken: "GET /hello HTTP/1.1"),
        .line("a space after the version", "GET /hello HTTP/1.1 ", taken: "GET /hello HTTP/1.1"),
        .line("a space before the method", " GET /hello HTTP/1.1", taken: "GET /hello HTTP/1.1"),
        .line("no version", "GET /hello", taken: "GET /hello HTTP/1.1"),
        .line("a version in small letters", "GET /hello http/1.1", taken: "GET /hello HTTP/1.1"),
        .line("a version of two digits", "GET /hello HTTP/1.10", taken: "GET /hello HTTP/1.1"),
        .line("a version with a sign", "GET /hello HTTP/+1.1", taken: "GET /hello HTTP/1.1"),
        .line("a method that is no token", "G(ET /hello HTTP/1.1", taken: "GET /hello HTTP/1.1"),
        HeadCase(
            "a first line that ends in LF alone",
            "GET /hello HTTP/1.1\nHost: x\r\n\r\n",
            taken: "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n"
        ),
        HeadCase(
            "two empty lines before the request",
            "\r\n\r\nGET /hello HTTP/1.1\r\nHost: x\r\n\r\n",
            taken: "\r\nGET /hello HTTP/1.1\r\nHost: x\r\n\r\n"
        ),
    ]

    private static let targets: [HeadCase] = [
        .line("NUL in the target", "GET /hello\0 HTTP/1.1", taken: "GET /hello HTTP/1.1"),
        .line("NUL in the query", "GET /query?a=\0 HTTP/1.1", taken: "GET /query?a= HTTP/1.1"),
        .line("an encoded NUL", "GET /things/a%00 HTTP/1.1", taken: "GET /things/a%20 HTTP/1.1"),
        .line("DEL in the target", "GET /things/\u{7F} HTTP/1.1", taken: "GET /things/%7F HTTP/1.1"),
        .line("a byte outside of ASCII", "GET /things/é HTTP/1.1", taken: "GET /things/%C3%A9 HTTP/1.1"),
        .line("a backslash in the path", "GET /things\\a HTTP/1.1", taken: "GET /things/%5Ca HTTP/1.1"),
        .line("a fragment", "GET /hello#a HTTP/1.1", taken: "GET /things/%23a HTTP/1.1"),
        .line("a fragment in the query", "GET /query?a=b#c HTTP/1.1", taken: "GET /query?a=b%23c HTTP/1.1"),
        .line("a step upwards", "GET /things/.. HTTP/1.1", taken: "GET /things/... HTTP/1.1"),
        .line("an encoded step upwards", "GET /things/%2e%2E HTTP/1.1", taken: "GET /things/%2e%2E. HTTP/1.1"),
        .line("a step nowhere", "GET /things/. HTTP/1.1", taken: "GET /things/.a HTTP/1.1"),
        .line("a broken escape", "GET /things/%2 HTTP/1.1", taken: "GET /things/%22 HTTP/1.1"),
        .line("no slash", "GET hello HTTP/1.1", taken: "GET /hello HTTP/1.1"),
        .line("an asterisk", "GET * HTTP/1.1", taken: "GET /hello HTTP/1.1"),
        .line("a host for a target", "GET x:80 HTTP/1.1", taken: "GET /hello HTTP/1.1"),
        .line("another scheme", "GET ftp://x/hello HTTP/1.1", taken: "GET http://x/hello HTTP/1.1"),
        .line("another host than Host", "GET http://y/hello HTTP/1.1", taken: "GET http://X/hello HTTP/1.1"),
        .line("a user in the target", "GET http://u@x/hello HTTP/1.1", taken: "GET HTTP://x/hello HTTP/1.1"),
        .line("no host in the target", "GET http:///hello HTTP/1.1", taken: "GET http://x/hello HTTP/1.1"),
    ]

    private static func host(_ name: String, _ refused: String, taken: String) -> HeadCase {
        func request(_ fields: String) -> String { "GET /hello HTTP/1.1\r\n\(fields)Connection: close\r\n\r\n" }
        return HeadCase(name, request(refused), taken: request(taken))
    }

    private static let hosts: [HeadCase] = [
        host("no Host", "", taken: "Host: x\r\n"),
        host("an empty Host", "Host:\r\n", taken: "Host:x\r\n"),
        host("two Host lines", "Host: x\r\nHost: y\r\n", taken: "Host: x\r\nX-Host: y\r\n"),
        host("the same Host twice", "Host: x\r\nhost: x\r\n", taken: "host: x\r\n"),
        host("two hosts in a line", "Host: x, y\r\n", taken: "Host: x.y\r\n"),
        host("a Host with a path", "Host: x/hello\r\n", taken: "Host: x:80\r\n"),
        host("a Host with a user", "Host: u@x\r\n", taken: "Host: u.x\r\n"),
        host("a Host with a port that is none", "Host: x:80a\r\n", taken: "Host: [::1]:80\r\n"),
        host("a Host with a port that is too high", "Host: x:65536\r\n", taken: "Host: x:65535\r\n"),
        HeadCase(
            "two Host lines in HTTP/1.0",
            "GET /hello HTTP/1.0\r\nHost: x\r\nHost: y\r\n\r\n",
            taken: "GET /hello HTTP/1.0\r\n\r\n"
        ),
    ]

    private static let fields: [HeadCase] = [
        .fields("a folded line", "X: a\r\n b", taken: "X: a b"),
        .fields("a line folded by a tab", "X: a\r\n\tb", taken: "X: a\tb"),
        HeadCase(
            "a fold before the first field",
            "GET /hello HTTP/1.1\r\n Host: x\r\nHost: x\r\n\r\n",
            taken: "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n"
        ),
        .fields("a line of spaces", "X: a\r\n  ", taken: "X: a  "),
        .fields("a space before the colon", "X : a", taken: "X: a"),
        .fields("a tab before the colon", "X\t: a", taken: "X:\ta"),
        .fields("an empty name", ": a", taken: "X: a"),
        .fields("no colon", "X", taken: "X:"),
        .fields("a name that is no token", "X(y): a", taken: "X-y: a"),
        .fields("a name outside of ASCII", "Xé: a", taken: "X: é"),
        .fields("NUL in a value", "X: a\0b", taken: "X: a b"),
        .fields("NUL in a name", "X\0: a", taken: "X: a"),
        .fields("NUL at the end of a value", "X: a\0", taken: "X: a"),
        .fields("a control character", "X: a\u{0B}b", taken: "X: a\tb"),
        .fields("DEL in a value", "X: a\u{7F}", taken: "X: a~"),
        .fields("LF alone", "X: a\nY: b", taken: "X: a\r\nY: b"),
        .fields("CR alone", "X: a\rY: b", taken: "X: a\r\nY: b"),
        .fields("CR before CR LF", "X: a\r", taken: "X: a"),
        .fields("two types", "Content-Type: a/b\r\nContent-Type: c/d", taken: "Content-Type: a/b"),
        .fields("two authorizations", "Authorization: a\r\nAuthorization: b", taken: "Authorization: a"),
        .fields("two keys", "Idempotency-Key: a\r\nIdempotency-Key: b", taken: "Idempotency-Key: a"),
        HeadCase(
            "a head that ends in LF alone",
            "GET /hello HTTP/1.1\r\nHost: x\r\n\n",
            taken: "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n"
        ),
    ]

    private static let three = "Content-Length: 3"

    private static let lengths: [HeadCase] = [
        .fields("the same length twice", "\(three)\r\n\(three)", taken: three, body: "abc"),
        .fields("two lengths", "\(three)\r\ncontent-length: 4", taken: three, body: "abc"),
        .fields("a list of lengths", "Content-Length: 3, 3", taken: three, body: "abc"),
        .fields("a length with a plus", "Content-Length: +3", taken: three, body: "abc"),
        .fields("a length with a minus", "Content-Length: -3", taken: three, body: "abc"),
        .fields("a hexadecimal length", "Content-Length: 0x3", taken: three, body: "abc"),
        .fields("a length with a fraction", "Content-Length: 3.0", taken: three, body: "abc"),
        .fields("a length with a space in it", "Content-Length: 3 0", taken: "Content-Length:  3 ", body: "abc"),
        .fields("a length with an underscore", "Content-Length: 0_3", taken: "Content-Length: 003", body: "abc"),
        .fields("an empty length", "Content-Length:", taken: "Content-Length: 0"),
        .fields("a length that overflows", "Content-Length: 18446744073709551619", taken: three, body: "abc"),
        .fields("a length past what is signed", "Content-Length: 9223372036854775808", taken: three, body: "abc"),
        .fields("a length in other digits", "Content-Length: ３", taken: three, body: "abc"),
        .fields("a space before the colon of a length", "Content-Length : 3", taken: three, body: "abc"),
        .fields(
            "a length on a folded line",
            "Content-Length:\r\n \(inner.utf8.count)",
            taken: "Content-Length: \(inner.utf8.count)",
            body: inner
        ),
    ]

    private static let coded = "Transfer-Encoding: chunked"

    private static func coding(_ name: String, _ refused: String, taken: String = coded) -> HeadCase {
        .fields(name, refused, taken: taken, body: "0\r\n\r\n")
    }

    private static let codings: [HeadCase] = [
        coding("a length and a coding", "Content-Length: 5\r\n\(coded)"),
        coding("a coding and a length", "\(coded)\r\nContent-Length: 5"),
        coding("the same coding twice", "\(coded)\r\n\(coded)"),
        coding("a coding on a folded line", "Transfer-Encoding:\r\n chunked"),
        coding("a coding that is none", "Transfer-Encoding: xchunked", taken: "Transfer-Encoding: Chunked"),
        coding("an empty coding", "Transfer-Encoding:", taken: "Transfer-Encoding:\tchunked "),
        coding("identity", "Transfer-Encoding: identity"),
        coding("chunked within chunked", "Transfer-Encoding: chunked, chunked"),
        coding("chunked and then something", "Transfer-Encoding: chunked, identity"),
        coding("a list with nothing in it", "Transfer-Encoding: ,chunked"),
        coding("a quoted coding", "Transfer-Encoding: \"chunked\""),
        coding("a coding with a parameter", "Transfer-Encoding: chunked;a=b"),
        coding("a vertical tab before a coding", "Transfer-Encoding: \u{0B}chunked"),
        coding("a space before the colon of a coding", "Transfer-Encoding : chunked"),
        HeadCase(
            "a coding in HTTP/1.0",
            "POST /length HTTP/1.0\r\nHost: x\r\n\(coded)\r\n\r\n0\r\n\r\n",
            taken: "POST /length HTTP/1.0\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc"
        ),
    ]

    private static let chunked: [HeadCase] = [
        .chunks("a size that is no number", "z\r\nabc\r\n0\r\n\r\n"),
        .chunks("no size", "\r\nabc\r\n0\r\n\r\n"),
        .chunks("a size with a sign", "+3\r\nabc\r\n0\r\n\r\n"),
        .chunks("a size with a minus", "-3\r\nabc\r\n0\r\n\r\n"),
        .chunks("a size with 0x", "0x3\r\nabc\r\n0\r\n\r\n"),
        .chunks("a size with a space after it", "3 \r\nabc\r\n0\r\n\r\n"),
        .chunks("a size with a space before it", " 3\r\nabc\r\n0\r\n\r\n"),
        .chunks("a size that overflows", "10000000000000003\r\nabc\r\n0\r\n\r\n"),
        .chunks("a size of a hundred digits", String(repeating: "0", count: 100) + "3\r\nabc\r\n0\r\n\r\n"),
        .chunks("an extension", "3;a=b\r\nabc\r\n0\r\n\r\n"),
        .chunks("an extension with LF in it", "3;a\nb\r\nabc\r\n0\r\n\r\n"),
        .chunks("a size that ends in LF alone", "3\nabc\r\n0\r\n\r\n"),
        .chunks("a size that ends in CR alone", "3\rabc\r\n0\r\n\r\n"),
        .chunks("a chunk that is longer", "3\r\nabcd\r\n0\r\n\r\n"),
        .chunks("a chunk that ends in LF alone", "3\r\nabc\n0\r\n\r\n"),
        .chunks("an end in LF alone", "3\r\nabc\r\n0\n\n"),
        .chunks("a trailer that is folded", "0\r\nA: b\r\n c\r\n\r\n", taken: "0\r\nA: b\r\n\r\n"),
        .chunks("a trailer that is none", "0\r\nabc\r\n\r\n", taken: "03\r\nabc\r\n00\r\nA: b\r\n\r\n"),
    ]
}
