#include "messages/message.hpp"

#include <malloc.h>

#include <cstdlib>
#include <cstring>
#include <new>

namespace switchboard {

namespace {

char* copy(char* to, std::string_view from) noexcept {
  if (!from.empty())
    std::memcpy(to, from.data(), from.size());
  return to + from.size();
}

/// By malloc, so that the allocator may be asked for the block's size.
void* allocate(std::size_t size) {
  if (auto* block = std::malloc(size))
    return block;
  throw std::bad_alloc{};
}

} // namespace

std::int64_t message::memory_bytes() const noexcept {
  return static_cast<std::int64_t>(keeping_bytes + ::malloc_usable_size(const_cast<message*>(this)));
}

void message_ptr::destroy(message* dead) noexcept {
  message::resident_.fetch_sub(dead->memory_bytes(), std::memory_order_relaxed);
  dead->~message();
  std::free(dead);
}

message_builder::message_builder(std::string_view exchange, std::string_view routing_key, std::string_view properties,
                                 std::uint64_t body_size, bool persistent, std::string_view hidden_keys) {
  const auto size =
      sizeof(message) + exchange.size() + routing_key.size() + properties.size() + hidden_keys.size() + body_size;
  auto* made = new (allocate(size)) message;
  made->exchange_size_ = static_cast<std::uint8_t>(exchange.size());
  made->routing_key_size_ = static_cast<std::uint8_t>(routing_key.size());
  made->properties_size_ = static_cast<std::uint32_t>(properties.size());
  made->body_size_ = body_size;
  made->persistent_ = persistent;
  made->hidden_keys_size_ = static_cast<std::uint32_t>(hidden_keys.size());
  copy(copy(copy(copy(const_cast<char*>(made->data()), exchange), routing_key), properties), hidden_keys);
  message::resident_.fetch_add(made->memory_bytes(), std::memory_order_relaxed);
  built_ = message_ptr{made};
}

std::uint64_t message_builder::missing() const noexcept { return built_ ? built_->body_size_ - filled_ : 0; }

void message_builder::append(std::string_view part) noexcept {
  copy(const_cast<char*>(built_->data()) + built_->body_offset() + filled_, part);
  filled_ += part.size();
}

message_ptr message_builder::finish() noexcept {
  filled_ = 0;
  return std::move(built_);
}

message_ptr make_message(std::string_view exchange, std::string_view routing_key, std::string_view properties,
                         std::string_view body, bool persistent, std::string_view hidden_keys) {
  message_builder builder{exchange, routing_key, properties, body.size(), persistent, hidden_keys};
  builder.append(body);
  return builder.finish();
}

} // namespace switchboard
