import JSON
import Messaging
import ShopEvents
import Testing

@testable import CommandLine

@Suite("warren queues")
struct QueueTests {
    @Test("migrate goes through every queue of the topology, and says what became of each")
    func all() async {
        let queues = FakeQueues { $0 == "payment" ? .waits : .fits }
        let outcome = await warren("queues migrate -o jsonl", broker: queues)
        #expect(outcome.code == 0)
        #expect(
            queues.migrated.value == [
                "order", "order.dead-letters", "payment", "payment.dead-letters", "notification",
                "notification.dead-letters",
            ]
        )
        let payment = outcome.records.first { $0["queue"]?.text == "payment" }
        #expect(payment?["state"]?.text == "replaced" && payment?["moved"] == .integer(3))
        #expect(outcome.records.count { $0["state"]?.text == "as it should be" } == 5)
    }

    @Test(
        "migrate takes a context's queues, and what others hear of it, where one of its queues is on the broker",
        arguments: Shop.Context.allCases
    )
    func contexts(context: Shop.Context) async {
        for existing: Set<String> in [[], [context.rawValue], ["\(context.rawValue).dead-letters"]] {
            await expect(existing.isEmpty ? [] : [context], of: existing)
        }
        await expect(Set(Shop.Context.allCases), of: Set(Shop.Context.allCases.map(\.rawValue)))
    }

    private func expect(_ contexts: Set<Shop.Context>, of existing: Set<String>) async {
        var queues = FakeQueues { _ in .fits }
        queues.existing = existing
        #expect(await warren("queues migrate", broker: queues).code == 0)
        for context in Shop.Context.allCases {
            #expect(queues.migrated.value.contains(context.rawValue) == contexts.contains(context))
        }
        let expected = Shop.topology(with: contexts)
        #expect(queues.topology.value?.subscriptions.map(\.types) == expected.subscriptions.map(\.types))
    }

    @Test("migrate --service takes the queues of that service alone")
    func service() async {
        let queues = FakeQueues { _ in .fits }
        #expect(await warren("queues migrate --service payment", broker: queues).code == 0)
        #expect(queues.migrated.value == ["payment", "payment.dead-letters"])
    }

    @Test("migrate --dry-run changes nothing, and ends with 5 where something is to be done")
    func dryRun() async {
        let queues = FakeQueues { $0 == "order" ? .waits : .fits }
        let outcome = await warren("queues migrate --dry-run", broker: queues)
        #expect(outcome.code == 5)
        #expect(outcome.data.contains("to be replaced"))
        #expect(outcome.messages.contains("warren queues migrate"))
        #expect(queues.migrated.value.isEmpty)
        #expect(await warren("queues migrate --dry-run", broker: FakeQueues { _ in .fits }).code == 0)
    }

    @Test("a failure says how to go on, and shows what was done before it")
    func failure() async {
        for (kind, code) in [
            (QueueMigrationFailure.Kind.unreachable, 7), (.inUse, 5), (.refused, 4), (.stopped, 1),
        ] as [(QueueMigrationFailure.Kind, Int32)] {
            let queues = FakeQueues {
                if $0 == "payment" { throw QueueMigrationFailure(kind: kind, reason: "because") }
                return .waits
            }
            let outcome = await warren("queues migrate", broker: queues)
            #expect(outcome.code == code)
            #expect(outcome.data.contains("order"))
            #expect(outcome.messages.contains("because") && outcome.messages.contains("Run it again"))
        }
    }
}
