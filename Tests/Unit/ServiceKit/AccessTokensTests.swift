import Glibc
import Synchronization
import Telemetry
import Testing

@testable import ServiceKit

@Suite("A file of tokens")
struct AccessTokensTests {
    private static let ada = "0123456789abcdef"
    private static let grafana = "fedcba9876543210"

    @Test("has one named token a line, with its role")
    func lines() throws {
        let text = "# who may come in\n\nada act \(Self.ada)\r\n  grafana\tread  \(Self.grafana)  \n"
        let tokens = try AccessTokens(parsing: text, hasRoles: true)
        #expect(tokens.entry(of: Self.ada)?.name == "ada")
        #expect(tokens.entry(of: Self.grafana)?.role == .read)
        for other in ["", "0123456789abcde", "0123456789abcdeff", "0123456789ABCDEF", "ada"] {
            #expect(tokens.entry(of: other) == nil)
        }
        let backEnds = try AccessTokens(parsing: "shop \(Self.ada)", hasRoles: false)
        #expect(backEnds.entry(of: Self.ada)?.name == "shop")
    }

    @Test(
        "that is not right is refused with its line, and never with a token",
        arguments: [
            ("", "no token"), ("# none", "no token"), ("ada act", "line 1"), ("ada act \(ada) more", "line 1"),
            ("ada act \(ada)\nbob admin \(grafana)", "line 2: the role"), ("ada act 0123456789abcde", "16 visible"),
            ("ada act \(ada)\nada read \(grafana)", "twice"), ("ada act \(ada)\nbob read \(ada)", "its own"),
            ("a/b act \(ada)", "a name"), ("ada act 0123456789abcdeé", "visible"),
        ]
    )
    func faults(text: String, word: String) {
        let fault = #expect(throws: AccessTokens.Fault.self) { try AccessTokens(parsing: text, hasRoles: true) }
        #expect(fault?.description.contains(word) == true, "\(String(describing: fault))")
        #expect(fault?.description.contains("0123456789") == false)
    }

    @Test("compares tokens as a whole")
    func comparison() {
        #expect(ConstantTime.areEqual("abc", "abc"))
        for other in ["", "ab", "abcd", "abd", "Abc", "abcabc"] {
            #expect(!ConstantTime.areEqual(other, "abc"))
            #expect(!ConstantTime.areEqual("abc", other))
        }
    }

    @Test("is read again when it has changed, and its last good state counts until then")
    func rotation() throws {
        let folder = String(cString: getenv("TMPDIR") ?? strdup("/tmp"))
        let path = "\(folder)/tokens-\(UInt64.random(in: 0...UInt64.max))"
        defer { unlink(path) }
        let clock = Mutex(ContinuousClock.now)
        func later() { clock.withLock { $0 += .seconds(2) } }
        try write("ada act \(Self.ada)\n", to: path)
        let file = try TokenFile(path, hasRoles: true, logger: .silent) { clock.withLock { $0 } }
        #expect(file.tokens.entry(of: Self.ada) != nil)
        try write("bob read \(Self.grafana)  \n", to: path)
        later()
        #expect(file.tokens.entry(of: Self.ada) == nil)
        #expect(file.tokens.entry(of: Self.grafana)?.name == "bob")
        try write("nonsense", to: path)
        later()
        #expect(file.tokens.entry(of: Self.grafana)?.name == "bob")
        unlink(path)
        later()
        #expect(file.tokens.entry(of: Self.grafana)?.name == "bob")
    }

    private func write(_ text: String, to path: String) throws {
        let file = try #require(fopen(path, "w"))
        #expect(fputs(text, file) >= 0)
        #expect(fclose(file) == 0)
    }
}
