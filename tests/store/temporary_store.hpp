// A store in a directory of its own that goes away with the test, and short words for what tests say often.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <future>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "store/store.hpp"

namespace switchboard::store {

class temporary_directory {
public:
  temporary_directory() {
    auto name = (std::filesystem::temp_directory_path() / "switchboard-store-XXXXXX").string();
    path_ = ::mkdtemp(name.data());
  }
  temporary_directory(const temporary_directory&) = delete;
  ~temporary_directory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  const std::string& path() const { return path_; }

private:
  std::string path_;
};

inline options small_store(const std::string& directory) {
  options how;
  how.directory = directory;
  how.map_bytes_max = 256u << 20;
  return how;
}

/// Aborts the test binary if it can't open: nothing after it would make sense.
inline std::unique_ptr<environment> must_open(options how) {
  auto opened = environment::open(std::move(how));
  if (!opened) {
    ADD_FAILURE() << opened.error().what;
    std::abort();
  }
  return std::move(*opened);
}

/// An open store that can be closed and opened again.
class temporary_store {
public:
  explicit temporary_store(options how = small_store({})) : how_(std::move(how)) { reopen(); }
  environment* operator->() const { return store_.get(); }
  environment& operator*() const { return *store_; }
  void close() { store_.reset(); }
  void reopen() {
    close();
    how_.directory = path();
    store_ = must_open(how_);
  }
  std::string path() const { return directory_.path() + "/store"; }

private:
  temporary_directory directory_;
  options how_;
  std::unique_ptr<environment> store_;
};

/// Keeps the writer thread busy in a completion, so that whatever is submitted meanwhile becomes one group.
class held_writer {
public:
  explicit held_writer(environment& store) {
    std::promise<void> began;
    auto has_begun = began.get_future();
    store.submit({}, [wait = release_.get_future().share(), &began] {
      began.set_value();
      wait.wait();
    });
    has_begun.wait();
  }
  ~held_writer() { let_go(); }
  void let_go() {
    if (!std::exchange(released_, true))
      release_.set_value();
  }

private:
  std::promise<void> release_;
  bool released_ = false;
};

inline message_ptr text_message(std::string_view body) {
  return make_message("events", "call.created", "", body, true);
}

inline time_point at_ms(std::int64_t ms) { return time_point{milliseconds{ms}}; }

inline entity_record an_entity(std::string id, std::int64_t created_ms, std::string state = "{}") {
  entity_record record;
  record.type = "call";
  record.id = std::move(id);
  record.customer_id = "customer";
  record.created = at_ms(created_ms);
  record.updated = at_ms(created_ms + 5);
  record.state = std::move(state);
  return record;
}

inline timer_record a_timer(std::string name, std::int64_t due_ms, std::string id = "c1") {
  timer_record record;
  record.type = "call";
  record.id = std::move(id);
  record.name = std::move(name);
  record.due = at_ms(due_ms);
  record.payload = "p";
  return record;
}

inline journal_record a_line(std::string id, std::uint64_t sequence, std::int64_t at, std::string bytes = "line") {
  return {"call", std::move(id), sequence, 0, at_ms(at), std::move(bytes)};
}

inline reply_record a_reply(std::string message_id, std::int64_t expires_ms, std::string bytes = "answer") {
  return {"bin-manager.call.request", std::move(message_id), at_ms(expires_ms), std::move(bytes)};
}

inline std::vector<std::string> bodies(environment& store, queue_number queue, position from = 0) {
  std::vector<std::string> found;
  const auto visited = store.each_message(
      queue, from, [&](stored_message&& one) { return found.emplace_back(one.message->body()), true; });
  EXPECT_TRUE(visited) << visited.error().what;
  return found;
}

inline std::vector<std::string> entity_ids(environment& store, std::string_view type = "call") {
  std::vector<std::string> found;
  const auto visited = store.each_entity(type, [&](entity_record&& one) { return found.push_back(one.id), true; });
  EXPECT_TRUE(visited) << visited.error().what;
  return found;
}

/// "id/name@due" of each timer.
inline std::vector<std::string> timers(environment& store) {
  std::vector<std::string> found;
  const auto visited = store.each_timer([&](timer_record&& one) {
    found.push_back(one.id + '/' + one.name + '@' + std::to_string(one.due.time_since_epoch().count()));
    return true;
  });
  EXPECT_TRUE(visited) << visited.error().what;
  return found;
}

inline std::vector<std::uint64_t> journal_sequences(environment& store, std::string_view id) {
  std::vector<std::uint64_t> found;
  const auto visited =
      store.each_journal("call", id, 0, [&](journal_record&& one) { return found.push_back(one.sequence), true; });
  EXPECT_TRUE(visited) << visited.error().what;
  return found;
}

} // namespace switchboard::store
