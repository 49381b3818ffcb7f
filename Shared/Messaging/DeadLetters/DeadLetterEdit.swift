internal import Database
internal import Events
internal import JSON

/// What takes the place of a dead letter that is edited.
public enum DeadLetterEdit: Sendable, Equatable {
    /// The payload alone: JSON. For a dead letter whose envelope can be read.
    case data([UInt8])
    /// The whole envelope; its id is replaced. For a dead letter whose envelope cannot be read.
    case envelope([UInt8])
}

extension DeadLetters {
    /// The error class of a dead letter that was edited.
    static let editedClass = "edited"

    /// Puts a corrected event in a dead letter's place and hands it to its handler.
    ///
    /// The corrected event has an id of its own, since it is another event, and names the original as its cause; the
    /// original is discarded as edited, names its successor, and cannot be restored: both would be handled then. In the
    /// order of its subject the new delivery stands where the old one stood: what is held behind goes on waiting for it, and it
    /// is held itself while an earlier one waits or another one may be at work. All of it and the audit entries are one
    /// transaction.
    ///
    /// - Returns: the new delivery, due at once or held.
    /// - Throws: `DeadLetterError`; `DatabaseError`.
    public func edit(_ id: Int64, to edit: DeadLetterEdit, actor: String, reason: String) async throws -> DeadLetter {
        let original = try await show(id)
        guard original.state == .dead else { throw DeadLetterError.wrongState(id, original.state) }
        guard original.subscriber != DeliveryTable.forwarder else {
            throw DeadLetterError.notEditable(
                id,
                "it is an event of the service's own, which has happened as it is; append a correcting one"
            )
        }
        let envelope = try Self.corrected(original, edit)
        let bytes = envelope.encoded()
        let properties = try Self.properties(of: original, successor: envelope)
        let table = transitions.tables[original.subscriber]
        let (successor, isHeld) = try await database.write { [transitions] transaction -> (Int64, Bool) in
            let now = WallClock.milliseconds()
            let discarded = try DeliveryTable.discardEdited(
                id,
                generation: original.generation,
                error: .permanent(Self.editedClass, "replaced by the event \(envelope.id)"),
                now: now,
                in: transaction
            )
            // Somebody else was quicker.
            guard let discarded else { throw DeadLetterError.wrongState(id, .scheduled) }
            try DeadLetterGroupCounts.remove(
                from: .dead,
                type: original.type,
                errorClass: original.errorClass,
                in: transaction
            )
            try DeadLetterGroupCounts.add(
                to: .discarded,
                type: original.type,
                errorClass: Self.editedClass,
                now: now,
                in: transaction
            )
            let subject = SubjectKey(source: envelope.source, subject: envelope.subject ?? "")
            table?.waiting.change(subject)
            let record = DeliveryRecord(
                key: DeliveryKey(source: envelope.source, eventID: envelope.id),
                type: envelope.type.rawValue,
                subjectKey: subject,
                receivedAt: now,
                body: bytes,
                properties: StoredProperties(json: properties)
            )
            var place = discarded
            place.sequence = place.sequence ?? envelope.sequence.map { Int64($0) }
            let successor = try DeliveryTable.insertEdited(
                record,
                subscriber: original.subscriber,
                at: place,
                lead: transitions.clock.lead,
                now: now,
                in: transaction
            )
            let isHeld = try table?.holdIfItHasTo(successor, subject, now: now, in: transaction) ?? false
            for (delivery, why) in [(id, reason), (successor, "made of \(id)\(reason.isEmpty ? "" : ": \(reason)")")] {
                try transaction.execute(
                    "INSERT INTO warren_audit (at, actor, action, delivery_id, reason) VALUES ($1, $2, $3, $4, $5)",
                    now,
                    actor,
                    "edit",
                    delivery,
                    why
                )
            }
            return (successor, isHeld)
        }
        onScheduled.raise()
        var letter = original
        (letter.id, letter.eventID, letter.state) = (successor, envelope.id, isHeld ? .held : .scheduled)
        (letter.type, letter.subject, letter.source) = (envelope.type.rawValue, envelope.subject ?? "", envelope.source)
        (letter.generation, letter.attemptCount, letter.attempts) = (0, 0, [])
        (letter.errorClass, letter.errorMessage) = ("", "")
        (letter.body, letter.properties) = (bytes, properties)
        letter.updatedAt = WallClock.milliseconds()
        (letter.receivedAt, letter.dueAt) = (letter.updatedAt, isHeld ? nil : letter.updatedAt)
        return letter
    }

    /// The corrected event, checked as one from outside is.
    private static func corrected(_ original: DeadLetter, _ edit: DeadLetterEdit) throws -> Envelope {
        do throws(EventFault) {
            var envelope: Envelope
            switch edit {
            case .data(let data):
                envelope = try Envelope(decoding: original.body)
                envelope.data = data
                if !envelope.hasJSONData { envelope.dataContentType = Envelope.json }
            case .envelope(let bytes):
                envelope = try Envelope(decoding: bytes)
            }
            envelope.id = UUIDv7.make()
            // An id of a message that could not be read is none of an event.
            let isReadable = !original.source.isEmpty
            if isReadable { envelope.causationID = original.eventID }
            guard !isReadable || (envelope.source, envelope.subject ?? "") == (original.source, original.subject) else {
                throw EventFault(.invalidAttribute, "source and subject must stay as they are, the order goes by them")
            }
            _ = try Envelope(decoding: envelope.encoded())
            return envelope
        } catch {
            throw DeadLetterError.notEditable(original.id, error.description)
        }
    }

    /// What came with the original, and which one it was.
    private static func properties(of original: DeadLetter, successor: Envelope) throws -> String {
        var fields: [String: JSONValue] = [:]
        if case .object(let members)? = try? StrictJSON.decode(JSONValue.self, from: Array(original.properties.utf8)) {
            fields = members
        }
        fields["messageId"] = .string(successor.id)
        fields["type"] = .string(successor.type.rawValue)
        fields["editedFrom"] = .object([
            "deliveryId": .string(String(original.id)), "eventId": .string(original.eventID),
        ])
        return String(decoding: try StrictJSON.encode(JSONValue.object(fields)), as: UTF8.self)
    }
}
