import Foundation
import ShopEvents
import TestSupport
import Testing

@testable import Notification

@Suite("Templates of mails")
struct TemplateTests {
    static let customer = Customer(email: "ada@example.com", name: "Ada <b> & \"Söhne\" 'x'")

    static func file(_ name: String, _ text: String) throws -> TemplateFile {
        try TemplateFile(name: name, path: "own/\(name)", bytes: Array(text.utf8))
    }

    static func builtIn(_ own: [TemplateFile] = [], fallback: String = "en") throws -> MailTemplates {
        try MailTemplates([try BuiltInTemplates.files(), own], fallback: fallback)
    }

    static func read(
        _ templates: MailTemplates,
        _ locale: String? = nil,
        deductions: Deductions? = nil
    ) throws -> MailText {
        var customer = customer
        customer.locale = locale
        let total = Money(amount: 2500, currency: "EUR")
        let event = OrderConfirmed(orderID: "o-1", customer: customer, total: total, deductions: deductions)
        return MailText(try MailContent(event), in: templates, shop: "Laden")
    }

    @Test(
        "A customer reads in the language that was named, its relatives' or the shop's",
        arguments: [
            ("ko", "ko"), ("ko-KR", "ko"), ("KO-kr-x-old", "ko"), ("en-GB", "en"), ("fr", "en"), ("kok", "en"),
            (nil, "en"),
        ] as [(String?, String)]
    )
    func languages(locale: String?, language: String) throws {
        let mail = try Self.read(try Self.builtIn(), locale)
        #expect(mail.language == language)
        #expect(mail.subject == (language == "ko" ? "주문 o-1이(가) 확정되었습니다" : "Your order o-1 is confirmed"))
        #expect(try Self.read(try Self.builtIn(fallback: "KO"), "fr").language == "ko")
    }

    @Test("Every mail says the same in its text and on its page, in every language")
    func pages() throws {
        let templates = try Self.builtIn()
        let total = Money(amount: 2500, currency: "EUR")
        for locale in ["en", "ko"] {
            let customer = Customer(email: "ada@example.com", name: "Ada", locale: locale)
            let all = Deductions(coupon: "c", discount: 300, points: 200)
            let contents = [
                try MailContent(OrderConfirmed(orderID: "o-1", customer: customer, total: total, deductions: all)),
                try MailContent(OrderConfirmed(orderID: "o-1", customer: customer, total: total)),
                MailContent(OrderRejected(orderID: "o-1", customer: customer, reason: "coupon-used", deductions: all)),
                MailContent(OrderRejected(orderID: "o-1", customer: customer, reason: "redemption-expired")),
                try MailContent(OrderCancelled(orderID: "o-1", customer: customer, total: total, deductions: all)),
                try MailContent(
                    OrderCancelled(orderID: "o-1", customer: customer, total: total, reason: "reservation-expired")
                ),
                try MailContent(OrderRefunded(orderID: "o-1", customer: customer, total: total)),
                try MailContent(OrderRefunded(orderID: "o-1", customer: customer, total: total, reason: "late-charge")),
                MailContent(OrderDispatched(orderID: "o-1", customer: customer, trackingCode: "TRK-1")),
                try MailContent(
                    OrderLinesCancelled(
                        orderID: "o-1",
                        customer: customer,
                        number: 1,
                        lines: [OrderLine(sku: "TEA", quantity: 1, unitPrice: 300)],
                        total: total,
                        refund: total,
                        points: 20
                    )
                ),
                try MailContent(OrderPartlyRefunded(orderID: "o-1", customer: customer, number: 1, total: total)),
            ]
            for content in contents {
                let mail = MailText(content, in: templates, shop: "Laden")
                let page = try #require(mail.page)
                #expect(page.contains("lang=\"\(locale)\"") && page.contains("<title>\(mail.subject)</title>"))
                let lines = mail.text.split(separator: "\n")
                #expect(lines.count >= 3 && !mail.text.contains("{{") && !page.contains("{{"))
                for line in lines { #expect(page.contains("<p>\(line)</p>"), "\(line) in \(page)") }
            }
        }
    }

    @Test("What an event carries is text on a page, never a part of it; in the text it stands as it is")
    func escaping() throws {
        let mail = try Self.read(try Self.builtIn())
        #expect(mail.text.hasPrefix("Dear Ada <b> & \"Söhne\" 'x',\n"))
        let page = try #require(mail.page)
        #expect(page.contains("<p>Dear Ada &lt;b&gt; &amp; &quot;Söhne&quot; &#39;x&#39;,</p>"))
        #expect(!page.contains("<b>"))
    }

    @Test("A value that looks like a template is none")
    func values() throws {
        let template = try Template(
            try Self.file("confirmed.en.txt", "{{customer}}!").lines,
            names: ["customer", "shop"]
        )
        #expect(template.text(["customer": "{{shop}}", "shop": "x"]) == "{{shop}}!\n")
    }

    @Test("Sections are there or not, one in another, and lines of theirs alone leave none behind")
    func sections() throws {
        let source = """
            a
              {{#card}}
            b {{! a remark }}{{^points}}none{{/points}}{{#points}}{{ points }}{{/points}}
            {{! a remark }}
            {{/card}}
            {{^card}}c{{/card}}
            """
        let names: Set = ["card", "points"]
        let template = try Template(try Self.file("confirmed.en.txt", source).lines, names: names)
        #expect(template.text(["card": "1"]) == "a\nb none\n\n")
        #expect(template.text(["card": "1", "points": "7"]) == "a\nb 7\n\n")
        #expect(template.text(["points": "7"]) == "a\nc\n")
    }

    @Test("A user's file takes the place of one built in, and its page goes with it")
    func own() throws {
        let text = try Self.file("confirmed.en.txt", "\u{FEFF}Subject:  Paid: {{order}}\r\n\r\nHello {{customer}}.\r\n")
        let alone = try Self.read(try Self.builtIn([text]))
        #expect(alone.subject == "Paid: o-1")
        #expect(alone.text == "Hello Ada <b> & \"Söhne\" 'x'.\n")
        #expect(alone.page == nil, "a page of other words than the text")
        // In the order of a folder: the page first.
        let page = try Self.file("confirmed.en.html", "<p>{{order}}</p>")
        #expect(try Self.read(try Self.builtIn([page, text])).page == "<p>o-1</p>\n")
        #expect(try Self.read(try Self.builtIn([text]), "ko").page != nil)
    }

    @Test("A reason without words of its own is said as otherwise")
    func reasons() throws {
        let own = try Self.file("reasons.en.txt", "# mine\n\ntimed-out: it took: long\notherwise: so it is\n")
        let templates = try Self.builtIn([own])
        for (reason, words) in [("timed-out", "because it took: long."), ("payment-declined", "because so it is.")] {
            let event = OrderRejected(orderID: "o", customer: Self.customer, reason: reason)
            #expect(MailText(MailContent(event), in: templates, shop: "x").text.contains(words))
        }
    }

    @Test(
        "What is wrong is said at the start, with file and line",
        arguments: [
            ("confirmed.en.txt", "Subject: x\n\nHello\n{{totl}}", "own/confirmed.en.txt:4: {{totl}} is not among"),
            ("confirmed.en.txt", "Subject: {{x}}\n\nHello", "own/confirmed.en.txt:1: {{x}} is not among"),
            ("confirmed.en.txt", "Subject: x\n\n{{#card}}\nHello", "own/confirmed.en.txt:3: {{#card}} has no end"),
            ("confirmed.en.txt", "Subject: x\n\nHello\n{{/card}}", "own/confirmed.en.txt:4: {{/card}} ends nothing"),
            (
                "confirmed.en.txt", "Subject: x\n\n{{#card}}a\n{{/points}}",
                "own/confirmed.en.txt:4: {{/points}} ends another"
            ),
            ("confirmed.en.txt", "Subject: x\n\nHello {{card\n}}", "own/confirmed.en.txt:3: {{ is not closed"),
            ("confirmed.en.txt", "Subject: x\n\nHello {{{card}}}", "own/confirmed.en.txt:3: values are always escaped"),
            ("confirmed.en.txt", "Hello", "own/confirmed.en.txt:1: the first line must be Subject:"),
            ("confirmed.en.txt", "", "confirmed.en.txt:1: the first line must be Subject:"),
            ("confirmed.en.txt", "Subject:\n\nHello", "own/confirmed.en.txt:1: the subject is empty"),
            (
                "confirmed.en.txt", "Subject: x\nHello",
                "own/confirmed.en.txt:2: the line after the subject must be empty"
            ),
            ("confirmed.en.txt", "Subject: x\n\n \n", "own/confirmed.en.txt:1: there is no text"),
            ("confirmed.en.html", "<p>\n{{tracking}}", "own/confirmed.en.html:2: {{tracking}} is not among"),
            ("reasons.en.txt", "otherwise: x\nno words", "own/reasons.en.txt:2: it must be CODE: WORDS"),
            ("reasons.en.txt", "a: x\na: y", "own/reasons.en.txt:2: a is there twice"),
            ("reasons.en.txt", "a: x", "own/reasons.en.txt:1: otherwise: is missing"),
            ("confirmed.de.txt", "Subject: x\n\nHallo", "rejected.de.txt: it is missing"),
            ("confirmed.de.txt", "Subject: x\n\nHallo", "reasons.de.txt: it is missing"),
            ("refunded.de.html", "<p>", "refunded.de.txt: it is missing"),
        ]
    )
    func faults(name: String, text: String, words: String) throws {
        let own = [try Self.file(name, text)]
        let faults = try #require(throws: TemplateFaults.self) { try Self.builtIn(own) }
        #expect(faults.faults.contains { $0.description.contains(words) }, "\(faults)")
    }

    @Test("A folder's faults are all told at once, and what is no template there is left alone")
    func folder() throws {
        let folder = try TemporaryFolder("templates")
        func write(_ name: String, _ bytes: [UInt8]) throws { try Data(bytes).write(to: folder.file(name)) }
        try write("README.md", Array("{{".utf8))
        try write(".confirmed.en.txt.swp", [0xFF])
        try write("confirmed.en.txt~", [0xFF])
        #expect(try TemplateFolder.files(in: folder.url.path).isEmpty)
        try write("confirmd.en.txt", Array("Subject: x".utf8))
        try write("refunded.en.txt", Array("Subject: x\n\nab".utf8) + [0xC3])
        let faults = try #require(throws: TemplateFaults.self) { try TemplateFolder.files(in: folder.url.path) }
        #expect(faults.faults.count == 2)
        #expect(faults.description.contains("/confirmd.en.txt: it must be called KIND.LANGUAGE.txt"))
        #expect(faults.description.contains("/refunded.en.txt:3: it is not UTF-8"))
        let nowhere = try #require(throws: TemplateFaults.self) { try TemplateFolder.files(in: "/nowhere/at/all") }
        #expect(nowhere.description.contains("/nowhere/at/all"))
        let language = try #require(throws: TemplateFaults.self) { try Self.builtIn(fallback: "fr") }
        #expect(language.description.contains("NOTIFICATION_LANGUAGE: there are no templates in fr"))
    }
}
