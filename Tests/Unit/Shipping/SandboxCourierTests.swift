import Foundation
import HTTP
import JSON
import ServiceTestSupport
import Synchronization
import Telemetry
import TestSupport
import Testing

@testable import Sandbox

@Suite("The sandbox's courier over HTTP", .timeLimit(.minutes(5)))
struct SandboxCourierTests {
    @Test("Nothing is answered or done without the key", arguments: ["PUT", "GET", "DELETE"])
    func keys(method: String) async throws {
        try await CourierWorld.open { world async throws in
            for key in [nil, "sk_other", ""] {
                let body = method == "PUT" ? CourierWorld.booking : ""
                let answer = try await world.ask(method, "o-1", body, key: key)
                #expect(answer.status == 401)
                #expect(answer.code == "unknown_key")
                #expect(answer.headers["WWW-Authenticate"]?.hasPrefix("Bearer") == true)
            }
            #expect(try await world.effects().isEmpty)
            #expect(try await world.ask("GET").status == 404)
        }
    }

    @Test("The newest address counts, the same once more changes nothing, an older one is stale")
    func addresses() async throws {
        try await CourierWorld.open { world async throws in
            #expect(try await world.book(version: 2).status == 201)
            #expect(try await world.book(version: 2).status == 200)
            let newer = try await world.book(version: 5)
            #expect(newer.status == 200)
            #expect(newer.json == ["id": "o-1", "version": 5, "state": "booked"])
            let stale = try await world.book(version: 3)
            #expect(stale.status == 409)
            #expect(stale.json["error"] == ["code": "stale_address", "id": "o-1", "version": 5])
            #expect(try await world.ask("GET").json == newer.json)
            #expect(try await world.effects() == ["address-taken 2", "address-taken 5"])
            let taken = try await world.control("GET", "courier/effects").json["effects"][0]
            #expect(taken["address"]["lines"] == ["1 Square"])
        }
    }

    @Test(
        "What is no booking is refused and does nothing",
        arguments: [
            "", "{", "[]", "{}", #"{"version":1}"#, CourierWorld.body(of: CourierWorld.address, version: 0),
            CourierWorld.body(of: #"{"name":"A","lines":[],"postalCode":"1","city":"B","country":"GB"}"#, version: 1),
            CourierWorld.body(
                of: #"{"name":"A","lines":["1","2","3"],"postalCode":"1","city":"B","country":"GB"}"#,
                version: 1
            ),
            #"{"address":\#(CourierWorld.address),"version":1,"colour":"red"}"#,
            #"{"address":\#(CourierWorld.address),"version":"1"}"#,
        ]
    )
    func malformed(body: String) async throws {
        try await CourierWorld.open { world async throws in
            let answer = try await world.ask("PUT", "o-1", body)
            #expect(answer.status == 400)
            #expect(answer.code == "invalid_request")
            #expect(try await world.effects().isEmpty)
        }
    }

    @Test(
        "Where no parcel can go is refused, and the address before it stays",
        arguments: [("Nowhere", "GB"), ("London", "ZZ"), ("London", "XK"), ("London", "QM"), ("London", "GBR")]
    )
    func unknownAddress(city: String, country: String) async throws {
        try await CourierWorld.open { world async throws in
            let address = #"{"name":"A","lines":["1"],"postalCode":"1","city":"\#(city)","country":"\#(country)"}"#
            let first = try await world.ask("PUT", "o-1", CourierWorld.body(of: address, version: 1))
            #expect(first.status == 422)
            #expect(first.json["error"] == ["code": "unknown_address"])
            #expect(try await world.ask("GET").code == "unknown_shipment")
            try await world.book(version: 2)
            let third = try await world.ask("PUT", "o-1", CourierWorld.body(of: address, version: 3))
            #expect(third.json["error"] == ["code": "unknown_address", "id": "o-1", "version": 2])
            #expect(try await world.ask("GET").json["version"] == 2)
            #expect(try await world.effects() == ["address-refused 1", "address-taken 2", "address-refused 3"])
        }
    }

    @Test("A parcel that has left takes no address, and is called back once")
    func left() async throws {
        try await CourierWorld.open { world async throws in
            try await world.book()
            try await world.move()
            let shown = try await world.ask("GET").json
            #expect(shown["state"] == "dispatched")
            let code = try #require(shown["trackingCode"].text)
            let conflict = try await world.book(version: 2)
            #expect(conflict.status == 409)
            #expect(
                conflict.json["error"]
                    == ["code": "already_dispatched", "id": "o-1", "version": 1, "trackingCode": .string(code)]
            )
            for _ in 1...2 {
                let called = try await world.ask("DELETE")
                #expect(called.status == 200)
                #expect(called.json["state"] == "returning")
                #expect(called.json["trackingCode"].text == code)
            }
            #expect(try await world.book(version: 3).code == "already_dispatched")
            #expect(try await world.control("POST", "courier/shipments/o-1/move").status == 404)
            #expect(try await world.effects() == ["address-taken 1", "dispatched 1", "called-back 1"])
        }
    }

    @Test("A parcel that is there takes no address and cannot be called off")
    func arrived() async throws {
        try await CourierWorld.open { world async throws in
            try await world.book()
            try await world.move()
            try await world.move()
            #expect(try await world.ask("GET").json["state"] == "delivered")
            for answer in [try await world.book(version: 2), try await world.ask("DELETE")] {
                #expect(answer.status == 409)
                #expect(answer.code == "already_delivered")
                #expect(answer.json["error"]["trackingCode"].text != nil)
            }
            #expect(try await world.control("POST", "courier/shipments/o-1/move").status == 404)
            #expect(try await world.effects() == ["address-taken 1", "dispatched 1", "delivered 1"])
        }
    }

    @Test("What is called off before it left stays so, also where it was never booked")
    func calledOff() async throws {
        try await CourierWorld.open { world async throws in
            try await world.book("booked")
            for id in ["booked", "never"] {
                for _ in 1...2 {
                    let answer = try await world.ask("DELETE", id)
                    #expect(answer.status == 200)
                    #expect(answer.json["state"] == "called_off")
                }
                let late = try await world.book(id, version: 2)
                #expect(late.status == 409)
                #expect(late.code == "called_off")
                #expect(try await world.control("POST", "courier/shipments/\(id)/move").status == 404)
            }
            #expect(try await world.effects("booked") == ["address-taken 1", "called-off 1"])
            #expect(try await world.effects("never") == ["called-off 0"])
        }
    }

    @Test("What nobody booked is unknown, and does not move")
    func unknown() async throws {
        try await CourierWorld.open { world async throws in
            let answer = try await world.ask("GET", "nobody")
            #expect(answer.status == 404)
            #expect(answer.json["error"] == ["code": "unknown_shipment"])
            #expect(try await world.control("POST", "courier/shipments/nobody/move").status == 404)
        }
    }

    @Test("A parcel leaves and arrives by itself, each told by a webhook that its secret signs")
    func byItself() async throws {
        try await CourierWorld.open(delay: 20) { world async throws in
            try await world.book(version: 3)
            try await world.hooks.wait(for: 2)
            let told = world.hooks.messages
            #expect(Set(told.map(\.type)) == ["shipment.dispatched", "shipment.delivered"])
            #expect(told.allSatisfy { $0.fault == nil && $0.shipment == "o-1" && $0.version == 3 })
            #expect(Set(told.map(\.id)).count == 2)
            let shown = try await world.ask("GET").json
            #expect(shown["state"] == "delivered")
            #expect(told.allSatisfy { $0.trackingCode == shown["trackingCode"].text })
            #expect(try await world.effects() == ["address-taken 3", "dispatched 3", "delivered 3"])
        }
    }

    // MARK: Bad days

    /// A fault of a call, and whether the work is done all the same.
    struct BadDay: Sendable, CustomTestStringConvertible {
        let call: CourierFault.Call
        let kind: CourierFault.Kind

        static let all = CourierFault.Call.allCases.filter { $0 != .webhook }.flatMap { call in
            CourierFault.Kind.allCases.filter { $0.strikes(call) }.map { BadDay(call: call, kind: $0) }
        }

        var isDone: Bool { kind != .unavailable && kind != .rateLimit }
        var testDescription: String { "\(call.rawValue) \(kind.rawValue)" }

        /// What the work leaves, as the control API shows it.
        var effect: String? {
            switch call {
            case .put: "address-taken 2"
            case .delete: "called-off 1"
            case .get, .webhook: nil
            }
        }
    }

    @Test("Strikes so many calls as it is told, does its work or not, and is over then", arguments: BadDay.all)
    func strikes(day: BadDay) async throws {
        try await CourierWorld.open { world async throws in
            try await world.book()
            func call(timeout: Duration = .seconds(60)) async throws -> HTTPClient.Response {
                let body = day.call == .put ? CourierWorld.body(of: CourierWorld.address, version: 2) : ""
                return try await world.ask(day.call.rawValue.uppercased(), "o-1", body, timeout: timeout)
            }
            try await world.plan(day.kind, for: day.call)
            // Whoever else calls is not struck.
            let other = day.call == .get ? try await world.book() : try await world.ask("GET")
            #expect(other.status == 200)

            switch day.kind {
            case .timeout:
                let failure = await #expect(throws: HTTPClient.Failure.self) {
                    try await call(timeout: .milliseconds(300))
                }
                #expect(failure?.code == .timeout)
            case .slow:
                let start = ContinuousClock.now
                #expect(try await call().status == 200)
                #expect(ContinuousClock.now - start >= .milliseconds(300))
            default: try Self.check(try await call(), after: day)
            }
            let before = ["address-taken 1"]
            let after = before + [day.effect].compactMap(\.self)
            #expect(try await world.effects() == (day.isDone ? after : before))

            let next = try await call()
            #expect(next.status == 200)
            #expect(next.json["id"] == "o-1")
            #expect(next.json["version"].integer == (day.call == .put ? 2 : 1))
            #expect(try await world.effects() == after)
        }
    }

    private static func check(_ answer: HTTPClient.Response, after day: BadDay) throws {
        switch day.kind {
        case .unavailable:
            #expect(answer.status == 503)
            #expect(answer.code == "unavailable")
            #expect(answer.headers["Retry-After"] == nil)
        case .rateLimit:
            #expect(answer.status == 429)
            #expect(answer.headers["Retry-After"] == "1")
        case .errorAfter:
            #expect(answer.status == 500)
            #expect(answer.code == "failed")
        case .reset:
            #expect(answer.status == 200)
            #expect(throws: (any Error).self) { try JSONValue(parsing: answer.body) }
            #expect(!answer.body.isEmpty)
        case .wrongID:
            #expect(answer.status == 200)
            #expect(answer.json["id"] == "o-1-other")
        case .wrongVersion:
            #expect(answer.status == 200)
            #expect(answer.json["version"].integer == (day.call == .put ? 9 : 8))
        case .timeout, .slow, .twice, .lost, .forged, .old: Issue.record("\(day) is none of a call's answers")
        }
    }

    @Test("Errors lie too: about another shipment, and about another address")
    func lyingErrors() async throws {
        try await CourierWorld.open { world async throws in
            try await world.book(version: 5)
            try await world.plan(.wrongID, for: .put)
            try await world.plan(.wrongVersion, for: .put)
            #expect(try await world.book(version: 4).json["error"]["id"] == "o-1-other")
            #expect(try await world.book(version: 4).json["error"]["version"] == 12)
            #expect(try await world.book(version: 4).json["error"]["version"] == 5)
        }
    }

    @Test("Bad days last as long as they are told, and end when they are cleared")
    func counted() async throws {
        try await CourierWorld.open { world async throws in
            try await world.plan(.unavailable, for: .put, count: 2)
            try await world.plan(.rateLimit, for: .put, count: 5)
            var statuses: [Int] = []
            for _ in 1...3 { statuses.append(try await world.book().status) }
            #expect(statuses == [503, 503, 429])
            #expect(try await world.control("DELETE", "courier/faults").status == 204)
            #expect(try await world.book().status == 201)
        }
    }

    @Test(
        "A bad day that there is none of is refused with those that there are",
        arguments: [
            (#"{"call":"post","kind":"unavailable"}"#, "call", "put, get, delete, webhook"),
            (#"{"call":"put","kind":"fire"}"#, "kind", "wrong-version"),
            (#"{"call":"put","kind":"lost"}"#, "kind", "unavailable"),
            (#"{"call":"webhook","kind":"timeout"}"#, "kind", "slow, twice, lost, forged, old"),
            (#"{"call":"get","kind":"slow","count":0}"#, "count", "1 to 1000000"),
            (#"{"call":"get","kind":"slow","delayMilliseconds":-1}"#, "delayMilliseconds", "0 to 120000"),
        ]
    )
    func refusedFaults(body: String, field: String, hint: String) async throws {
        try await CourierWorld.open { world async throws in
            let answer = try await world.control("POST", "courier/faults", body)
            #expect(answer.status == 422)
            let fault = try #require(answer.json["errors"].elements.first)
            #expect(fault["field"].text == field)
            #expect(fault["detail"].text?.contains(hint) == true, "\(fault)")
            #expect(try await world.book().status == 201)
        }
    }

    @Test("A reset of the sandbox forgets shipments, effects, bad days and webhooks")
    func reset() async throws {
        try await CourierWorld.open { world async throws in
            try await world.book()
            try await world.move()
            try await world.hooks.wait(for: 1)
            try await world.plan(.unavailable, for: .put)
            #expect(try await world.control("POST", "reset").status == 204)
            #expect(try await world.ask("GET").status == 404)
            #expect(try await world.effects().isEmpty)
            #expect(try await world.control("GET", "courier/webhooks").json["webhooks"] == [])
            #expect(try await world.book().status == 201)
        }
    }

    // MARK: Webhooks

    @Test("What is not taken comes again, under the same id, until it is")
    func insists() async throws {
        try await CourierWorld.open { world async throws in
            world.hooks.refuse(2)
            try await world.book()
            try await world.move()
            try await world.hooks.wait(for: 3)
            #expect(Set(world.hooks.messages.map(\.id)).count == 1)
            #expect(world.hooks.types == Array(repeating: "shipment.dispatched", count: 3))
            let attempts = try await eventually("the last attempt is written down") {
                let attempts = try await world.control("GET", "courier/webhooks").json["webhooks"].elements
                return attempts.count >= 3 ? attempts : nil
            }
            #expect(attempts.map { $0["status"].integer } == [503, 503, 200])
            #expect(attempts.allSatisfy { $0["shipment"] == "o-1" && $0["type"] == "shipment.dispatched" })
        }
    }

    @Test("What nobody answers is written down without a status, and tried again")
    func nobody() async throws {
        let port = try FreePort.next()
        try await CourierWorld.open(webhooks: "http://127.0.0.1:\(port)/hook") { world in
            try await world.book()
            try await world.move()
            try await eventually("it was tried twice") {
                let attempts = try await world.control("GET", "courier/webhooks").json["webhooks"].elements
                return attempts.count >= 2 && attempts.allSatisfy { $0["status"].integer == nil }
            }
        }
    }

    @Test("A lost webhook never comes; the next one does")
    func lost() async throws {
        try await CourierWorld.open { world async throws in
            try await world.book()
            try await world.plan(.lost, for: .webhook)
            try await world.move()
            try await world.move()
            try await world.hooks.wait(for: 1)
            #expect(world.hooks.types == ["shipment.delivered"])
            #expect(world.courier.sent.allSatisfy { $0.type == "shipment.delivered" })
        }
    }

    @Test("A slow webhook is overtaken by the next")
    func slow() async throws {
        try await CourierWorld.open { world async throws in
            try await world.book()
            try await world.plan(.slow, for: .webhook, delay: 1000)
            try await world.move()
            try await world.move()
            try await world.hooks.wait(for: 2)
            #expect(world.hooks.types == ["shipment.delivered", "shipment.dispatched"])
        }
    }

    @Test("A webhook that is told to come twice does so under one id")
    func twice() async throws {
        try await CourierWorld.open { world async throws in
            try await world.book()
            try await world.plan(.twice, for: .webhook)
            try await world.move()
            try await world.hooks.wait(for: 2)
            #expect(world.hooks.types == ["shipment.dispatched", "shipment.dispatched"])
            #expect(Set(world.hooks.messages.map(\.id)).count == 1)
        }
    }

    @Test(
        "Beside the true webhook comes one that does not count",
        arguments: [
            (CourierFault.Kind.old, WebhookSignature.Fault.Kind.outOfTolerance),
            (CourierFault.Kind.forged, WebhookSignature.Fault.Kind.unknown),
        ]
    )
    func impostors(kind: CourierFault.Kind, fault: WebhookSignature.Fault.Kind) async throws {
        try await CourierWorld.open { world async throws in
            try await world.book()
            try await world.plan(kind, for: .webhook)
            try await world.move()
            try await world.hooks.wait(for: 2)
            #expect(world.hooks.messages.map(\.fault) == [fault, nil])
            #expect(Set(world.hooks.messages.map(\.id)).count == 1)
        }
    }

    @Test("What is not wanted any more, since everything was forgotten, is not tried again")
    func unwanted() async throws {
        let hooks = WebhookReceiver()
        hooks.refuse(.max)
        let client = HTTPClient()
        defer { client.close() }
        let signature = try #require(WebhookSignature(secret: CourierWorld.secret))
        var shipment = CourierState.Shipment(id: "o-1")
        shipment.stage = .dispatched
        let webhook = CourierPost.Webhook(shipment, at: 0)
        try await withServer(hooks.router) { url in
            let url = url + WebhookReceiver.path
            let post = CourierPost(url: url, signature: signature, client: client, logger: .silent)
            await post.deliver(webhook, nil) { hooks.messages.count < 2 }
            #expect(hooks.messages.count == 2)
            #expect(post.sent.map(\.status) == [503], "the one that was under way is forgotten too")
        }
    }
}
