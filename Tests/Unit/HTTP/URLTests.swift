import HTTP
import Testing

@Suite("URLs are taken apart as libcurl does, and shown without what is secret")
struct URLTests {
    @Test("All parts are there, credentials decoded")
    func parts() throws {
        let parts = try #require(URLParts("HTTPS://us%40er:p%2Fw@Example.com:8443/a%20b?q=1#f"))
        #expect(parts.scheme == "https")
        #expect(parts.user == "us@er")
        #expect(parts.password == "p/w")
        #expect(parts.port == 8443)
        #expect(parts.path == "/a%20b")
        #expect(parts.query == "q=1")
        let bare = try #require(URLParts("amqp://[::1]"))
        #expect(bare.host == "::1")
        #expect(bare.authority == "[::1]")
        #expect(bare.port == nil)
        #expect(bare.path == "/")
        #expect(bare.user == nil && bare.password == nil && bare.query == nil)
        #expect(URLParts("http://[::1]:80")?.authority == "[::1]:80")
    }

    @Test(
        "What is none is none",
        arguments: [
            "", "host", "http:", "http:host", "http:/host", "http://", "http:///host", "http://:80", "http://h:port",
            "http://h:65536", "http://h ost", "http://hé", "http://h\n", "http://%zz@h", "http://[::1", "http://u@",
            "://h",
        ]
    )
    func none(text: String) { #expect(URLParts(text) == nil) }
}
