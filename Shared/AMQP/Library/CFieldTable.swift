import CRabbitMQ

extension FieldTable {
    /// How deep tables and arrays may lie in one another; what lies deeper is refused on its way out and read as `void`.
    static let maximumDepth = 64

    /// The table as the C library takes it, in the arena's memory.
    func makeC(in arena: CArena) -> amqp_table_t {
        let memory = unsafe arena.allocate(amqp_table_entry_t.self, count: entries.count)
        for (index, entry) in entries.enumerated() {
            let value = unsafe amqp_table_entry_t(key: arena.bytes(entry.name), value: entry.value.makeC(in: arena))
            unsafe (memory + index).initialize(to: value)
        }
        return unsafe amqp_table_t(num_entries: Int32(entries.count), entries: memory)
    }

    /// A copy of a table of the C library.
    init(_ table: amqp_table_t, depth: Int = 1) {
        var entries: [Entry] = []
        let count = unsafe Int(table.num_entries)
        entries.reserveCapacity(count)
        if let memory = unsafe table.entries {
            for index in 0..<count {
                let entry = unsafe memory[index]
                unsafe entries.append(Entry(name: entry.key.text, value: FieldValue(entry.value, depth: depth)))
            }
        }
        self.init(entries)
    }
}

extension FieldValue {
    fileprivate func makeC(in arena: CArena) -> amqp_field_value_t {
        var result = unsafe amqp_field_value_t()
        func set(_ kind: amqp_field_value_kind_t) { unsafe result.kind = UInt8(truncatingIfNeeded: kind.rawValue) }
        switch self {
        case .boolean(let value):
            set(AMQP_FIELD_KIND_BOOLEAN)
            unsafe result.value.boolean = value ? 1 : 0
        case .int8(let value):
            set(AMQP_FIELD_KIND_I8)
            unsafe result.value.i8 = value
        case .uint8(let value):
            set(AMQP_FIELD_KIND_U8)
            unsafe result.value.u8 = value
        case .int16(let value):
            set(AMQP_FIELD_KIND_I16)
            unsafe result.value.i16 = value
        case .uint16(let value):
            set(AMQP_FIELD_KIND_U16)
            unsafe result.value.u16 = value
        case .int32(let value):
            set(AMQP_FIELD_KIND_I32)
            unsafe result.value.i32 = value
        case .uint32(let value):
            set(AMQP_FIELD_KIND_U32)
            unsafe result.value.u32 = value
        case .int64(let value):
            set(AMQP_FIELD_KIND_I64)
            unsafe result.value.i64 = value
        case .float(let value):
            set(AMQP_FIELD_KIND_F32)
            unsafe result.value.f32 = value
        case .double(let value):
            set(AMQP_FIELD_KIND_F64)
            unsafe result.value.f64 = value
        case .decimal(let scale, let value):
            set(AMQP_FIELD_KIND_DECIMAL)
            unsafe result.value.decimal = amqp_decimal_t(decimals: scale, value: value)
        case .string(let text):
            set(AMQP_FIELD_KIND_UTF8)
            unsafe result.value.bytes = arena.bytes(text)
        case .bytes(let bytes):
            set(AMQP_FIELD_KIND_BYTES)
            unsafe result.value.bytes = arena.bytes(bytes)
        case .timestamp(let seconds):
            set(AMQP_FIELD_KIND_TIMESTAMP)
            unsafe result.value.u64 = seconds
        case .table(let table):
            set(AMQP_FIELD_KIND_TABLE)
            unsafe result.value.table = table.makeC(in: arena)
        case .array(let values):
            set(AMQP_FIELD_KIND_ARRAY)
            let memory = unsafe arena.allocate(amqp_field_value_t.self, count: values.count)
            for (index, value) in values.enumerated() {
                unsafe (memory + index).initialize(to: value.makeC(in: arena))
            }
            unsafe result.value.array = amqp_array_t(num_entries: Int32(values.count), entries: memory)
        case .void:
            set(AMQP_FIELD_KIND_VOID)
        }
        return unsafe result
    }

    fileprivate init(_ field: amqp_field_value_t, depth: Int) {
        switch unsafe amqp_field_value_kind_t(rawValue: UInt32(field.kind)) {
        case AMQP_FIELD_KIND_BOOLEAN: self = unsafe .boolean(field.value.boolean != 0)
        case AMQP_FIELD_KIND_I8: self = unsafe .int8(field.value.i8)
        case AMQP_FIELD_KIND_U8: self = unsafe .uint8(field.value.u8)
        case AMQP_FIELD_KIND_I16: self = unsafe .int16(field.value.i16)
        case AMQP_FIELD_KIND_U16: self = unsafe .uint16(field.value.u16)
        case AMQP_FIELD_KIND_I32: self = unsafe .int32(field.value.i32)
        case AMQP_FIELD_KIND_U32: self = unsafe .uint32(field.value.u32)
        case AMQP_FIELD_KIND_I64: self = unsafe .int64(field.value.i64)
        // RabbitMQ knows no unsigned 64-bit integer; `L` is what old clients wrote for a signed one.
        case AMQP_FIELD_KIND_U64: self = unsafe .int64(Int64(bitPattern: field.value.u64))
        case AMQP_FIELD_KIND_F32: self = unsafe .float(field.value.f32)
        case AMQP_FIELD_KIND_F64: self = unsafe .double(field.value.f64)
        case AMQP_FIELD_KIND_DECIMAL:
            self = unsafe .decimal(scale: field.value.decimal.decimals, value: field.value.decimal.value)
        case AMQP_FIELD_KIND_UTF8:
            if let text = unsafe field.value.bytes.validText {
                self = .string(text)
            } else {
                self = unsafe .bytes(field.value.bytes.array)
            }
        case AMQP_FIELD_KIND_BYTES: self = unsafe .bytes(field.value.bytes.array)
        case AMQP_FIELD_KIND_TIMESTAMP: self = unsafe .timestamp(field.value.u64)
        case AMQP_FIELD_KIND_TABLE where depth < FieldTable.maximumDepth:
            self = unsafe .table(FieldTable(field.value.table, depth: depth + 1))
        case AMQP_FIELD_KIND_ARRAY where depth < FieldTable.maximumDepth:
            let array = unsafe field.value.array
            var values: [FieldValue] = []
            if let memory = unsafe array.entries {
                for index in unsafe 0..<Int(array.num_entries) {
                    unsafe values.append(FieldValue(memory[index], depth: depth + 1))
                }
            }
            self = .array(values)
        default: self = .void
        }
    }
}
