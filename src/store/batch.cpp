#include <utility>

#include "store/store.hpp"

namespace switchboard::store {

// Every operation counts its own size and the bytes behind it; a message counts in full in every queue it goes to.

void batch::put_message(queue_number queue, position at, message_ptr message) {
  footprint_ += sizeof(operation) + message->footprint();
  operations_.emplace_back(message_put{queue, at, std::move(message)});
}

void batch::delete_message(queue_number queue, position at) {
  footprint_ += sizeof(operation);
  operations_.emplace_back(message_delete{queue, at});
}

void batch::delete_queue_messages(queue_number queue) {
  footprint_ += sizeof(operation);
  operations_.emplace_back(queue_delete{queue});
}

void batch::put_topology(std::string key, std::string bytes) {
  footprint_ += sizeof(operation) + key.size() + bytes.size();
  operations_.emplace_back(topology_put{std::move(key), std::move(bytes)});
}

void batch::delete_topology(std::string key) {
  footprint_ += sizeof(operation) + key.size();
  operations_.emplace_back(topology_delete{std::move(key)});
}

void batch::put_entity(entity_record record) {
  footprint_ += sizeof(operation) + record.type.size() + record.id.size() + record.customer_id.size();
  footprint_ += record.state.size();
  operations_.emplace_back(std::move(record));
}

void batch::delete_entity(std::string type, std::string id) {
  footprint_ += sizeof(operation) + type.size() + id.size();
  operations_.emplace_back(entity_delete{std::move(type), std::move(id)});
}

void batch::append_journal(journal_record record) {
  footprint_ += sizeof(operation) + record.type.size() + record.id.size() + record.bytes.size();
  operations_.emplace_back(std::move(record));
}

void batch::put_reply(reply_record record) {
  footprint_ += sizeof(operation) + record.scope.size() + record.message_id.size() + record.bytes.size();
  operations_.emplace_back(std::move(record));
}

void batch::put_timer(timer_record record) {
  footprint_ += sizeof(operation) + record.type.size() + record.id.size() + record.name.size();
  footprint_ += record.payload.size();
  operations_.emplace_back(std::move(record));
}

void batch::delete_timer(std::string type, std::string id, std::string name) {
  footprint_ += sizeof(operation) + type.size() + id.size() + name.size();
  operations_.emplace_back(timer_delete{std::move(type), std::move(id), std::move(name)});
}

void batch::delete_timers(std::string type, std::string id) {
  footprint_ += sizeof(operation) + type.size() + id.size();
  operations_.emplace_back(timers_delete{std::move(type), std::move(id)});
}

void batch::put_outbox(outbox_record record) {
  footprint_ += sizeof(operation) + record.bytes.size();
  operations_.emplace_back(std::move(record));
}

void batch::delete_outbox(std::uint64_t number) {
  footprint_ += sizeof(operation);
  operations_.emplace_back(outbox_delete{number});
}

} // namespace switchboard::store
