// Damaged files: a store with known contents, its files cut, flipped, zeroed and swapped, one damage at a time on a
// copy, and a process of its own that opens what is left. Never a wrong byte, never a crash; whatever is missing is
// named, and the rest is there and can be written to.
//   SWITCHBOARD_CORRUPTION_SEED    of the places (1)
//   SWITCHBOARD_CORRUPTION_CASES   bit flips of data.mdb (200); the other kinds in proportion
// Each kind prints what became of its cases.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <iostream>
#include <map>
#include <random>
#include <set>
#include <sstream>

#include "disk.hpp"
#include "store/log_record.hpp"
#include "temporary_store.hpp"

namespace switchboard::store {
namespace {

namespace fs = std::filesystem;

std::uint64_t asked_for(const char* name, std::uint64_t otherwise) {
  const auto* text = std::getenv(name);
  return text ? std::strtoull(text, nullptr, 10) : otherwise;
}

/// What stands in a store, by "table name": the bytes.
using contents = std::map<std::string, std::string>;

/// Four queues, one of large bodies, and something in every table. Some was deleted again, some stands in the log
/// alone.
class filled_store {
public:
  filled_store() {
    auto store = must_open(small_store(path()));
    for (int round = 0; round < 6; ++round) {
      batch some;
      for (int n = 0; n < 60; ++n)
        for (queue_number queue = 1; queue <= 4; ++queue)
          put(*store, some, queue, queue == 4 ? (n % 6 == 0 ? 9000 : 0) : 20 + 11 * static_cast<std::size_t>(n));
      store->submit(std::move(some));
      others(*store, round);
      EXPECT_TRUE(store->flush());
      read_all(*store); // into LMDB
      take_some(*store);
    }
    read_all(*store);
    for (int n = 0; n < 5; ++n) { // these stay in the log
      batch some;
      put(*store, some, 1 + static_cast<queue_number>(n) % 3, 700);
      put(*store, some, 2, 5000);
      store->submit(std::move(some));
      others(*store, 100 + n);
      EXPECT_TRUE(store->flush());
    }
    the_disk.fail_write_with = EIO; // closes without the last checkpoint
    store.reset();
    the_disk.mend();
  }

  std::string path() const { return directory_.path() + "/whole"; }
  const contents& expected() const noexcept { return expected_; }
  const contents& deleted() const noexcept { return deleted_; }

private:
  static void read_all(environment& store) { bodies(store, 1); }

  void put(environment& store, batch& into, queue_number queue, std::size_t size) {
    if (size == 0)
      return;
    const auto at = store.take_positions();
    const auto body = std::to_string(at) + std::string(size, static_cast<char>('a' + at % 26));
    into.put_message(queue, at, text_message(body));
    expected_["message " + std::to_string(queue) + ' ' + std::to_string(at)] = body;
  }

  void others(environment& store, int round) {
    batch some;
    for (int n = 0; n < 12; ++n) {
      const auto id = std::to_string(round) + '-' + std::to_string(n);
      const auto text = id + std::string(static_cast<std::size_t>(40 + 30 * n), 's');
      some.put_entity(an_entity(id, 1000 + round * 100 + n, text));
      expected_["entity " + id] = text;
      some.put_reply(a_reply(id, 1'000'000, text));
      expected_["reply " + id] = text;
      some.put_timer(a_timer(id, 5000 + n));
      expected_["timer " + id] = "p";
      some.put_topology("queue/" + id, text);
      expected_["topology queue/" + id] = text;
      const auto number = store.take_positions();
      some.put_outbox({number, 0, text});
      expected_["outbox " + std::to_string(number)] = text;
    }
    store.submit(std::move(some));
  }

  /// So that pages are free and used again.
  void take_some(environment& store) {
    batch gone;
    int n = 0;
    for (auto each = expected_.begin(); each != expected_.end();) {
      std::istringstream words{each->first};
      std::string what;
      std::uint64_t queue = 0, at = 0;
      if (words >> what >> queue >> at && what == "message" && ++n % 3 == 0) {
        gone.delete_message(queue, at);
        deleted_.insert(*each);
        each = expected_.erase(each);
      } else {
        ++each;
      }
    }
    store.submit(std::move(gone));
    EXPECT_TRUE(store.flush());
  }

  temporary_directory directory_;
  contents expected_, deleted_;
};

const filled_store& the_store() {
  static const filled_store made;
  return made;
}

// -- opening what is left ---------------------------------------------------------------------------------------------

struct reading_of_all {
  contents found;
  std::vector<std::string> told;
};

reading_of_all read_everything(environment& store) {
  reading_of_all all;
  const auto note = [&](const auto& read) {
    if (!read)
      all.told.push_back(read.error().what);
  };
  for (queue_number queue = 1; queue <= 4; ++queue) {
    const auto read = store.each_message(queue, 0, [&](stored_message&& one) {
      all.found["message " + std::to_string(queue) + ' ' + std::to_string(one.at)] = one.message->body();
      return true;
    });
    if (!read)
      all.told.push_back("queue " + std::to_string(queue) + ": " + read.error().what);
  }
  note(store.each_timer([&](timer_record&& one) { return all.found["timer " + one.name] = one.payload, true; }));
  note(store.each_outbox(
      [&](outbox_record&& one) { return all.found["outbox " + std::to_string(one.number)] = one.bytes, true; }));
  note(store.each_topology([&](std::string_view key, std::string_view bytes) {
    return all.found["topology " + std::string{key}] = bytes, true;
  }));
  note(store.each_entity("call", [&](entity_record&& one) { return all.found["entity " + one.id] = one.state, true; }));
  for (const auto& [key, bytes] : the_store().expected()) {
    if (key.starts_with("reply ")) {
      const auto found = store.find_reply("bin-manager.call.request", key.substr(6));
      note(found);
      if (found && *found)
        all.found[key] = (*found)->bytes;
    }
    if (key.starts_with("entity ")) { // by its own key as well as in the order of creation
      const auto found = store.find_entity("call", key.substr(7));
      note(found);
      if (found && !*found)
        all.found.erase(key);
    }
  }
  return all;
}

/// What became of one case, on the first line; below it why.
std::string judge(const std::string& directory) {
  std::vector<std::string> told;
  auto how = small_store(directory);
  how.sync = false;
  how.on_damage = how.on_tables_damaged = how.on_log_cut = [&](const error& why) { told.push_back(why.what); };
  auto opened = environment::open(how);
  if (!opened)
    return opened.error().what.find(directory) == std::string::npos
               ? "refused without a file's name\n" + opened.error().what
               : "refused by name\n" + opened.error().what;
  auto all = read_everything(**opened);
  told.insert(told.end(), all.told.begin(), all.told.end());
  std::size_t missing = 0, back = 0;
  std::string which;
  for (const auto& [key, bytes] : the_store().expected()) {
    const auto found = all.found.find(key);
    if (found == all.found.end()) {
      ++missing;
      which += key + ", ";
    } else if (found->second != bytes) {
      return "WRONG\n" + key;
    }
  }
  for (const auto& [key, bytes] : all.found)
    if (!the_store().expected().contains(key)) {
      const auto deleted = the_store().deleted().find(key);
      if (deleted == the_store().deleted().end() || deleted->second != bytes)
        return "WRONG\n" + key + " was never there";
      ++back;
    }
  // It goes on: what is written now is there afterwards.
  batch more;
  more.put_message(9, (*opened)->take_positions(), text_message("more"));
  (*opened)->submit(std::move(more));
  if (!(*opened)->flush() || bodies(**opened, 9) != std::vector<std::string>{"more"})
    return "CAN'T BE WRITTEN TO\n";
  std::string story;
  for (const auto& each : told)
    story += each + '\n';
  if (missing > 0 && told.empty())
    return "LOST WITHOUT A WORD\n" + which;
  if (back > 0)
    return told.empty() ? "BACK WITHOUT A WORD\n" : "deleted ones came back, named\n" + story;
  if (missing > 0)
    return "loss named, the rest serves\n" + story;
  return told.empty() ? "unharmed\n" : "damage named, nothing lost\n" + story;
}

/// In a process of its own: whatever happens there is an outcome.
std::string judge_apart(const std::string& directory) {
  int ends[2];
  if (::pipe(ends) != 0)
    return "no pipe";
  const auto child = ::fork();
  if (child == 0) {
    ::alarm(30);
    ::close(ends[0]);
    const auto text = judge(directory);
    const auto done = ::write(ends[1], text.data(), std::min<std::size_t>(text.size(), 60'000));
    ::_exit(done < 0);
  }
  ::close(ends[1]);
  std::string text;
  char buffer[4096];
  for (ssize_t got; (got = ::read(ends[0], buffer, sizeof buffer)) > 0;)
    text.append(buffer, static_cast<std::size_t>(got));
  ::close(ends[0]);
  int status = 0;
  ::waitpid(child, &status, 0);
  if (WIFSIGNALED(status))
    return WTERMSIG(status) == SIGALRM ? "HANGS\n" : "DIES OF SIGNAL " + std::to_string(WTERMSIG(status)) + '\n';
  return text.empty() ? "ENDS WITHOUT A WORD\n" : text;
}

// -- damaging ---------------------------------------------------------------------------------------------------------

class corruption : public testing::Test {
protected:
  using damage = std::function<void(std::string& bytes)>;

  static void SetUpTestSuite() { the_store(); }

  void with(const std::string& file, const std::string& what, const damage& how) {
    const auto copy = directory_.path() + "/copy";
    fs::remove_all(copy);
    fs::create_directory(copy);
    for (const auto* name : {"data.mdb", "write_ahead.log"})
      fs::copy_file(the_store().path() + '/' + name, copy + '/' + name);
    auto bytes = read(the_store().path() + '/' + file);
    how(bytes);
    std::ofstream{copy + '/' + file, std::ios::binary | std::ios::trunc} << bytes;
    const auto text = judge_apart(copy);
    const auto outcome = text.substr(0, text.find('\n'));
    ++outcomes_[outcome];
    EXPECT_FALSE(outcome[0] >= 'A' && outcome[0] <= 'Z') << what << ": " << text.substr(0, 2000);
  }

  void say(std::string_view kind) {
    std::cout << "corruption: " << kind << ", seed " << seed_ << ':';
    for (const auto& [outcome, count] : outcomes_)
      std::cout << ' ' << outcome << ' ' << count << ';';
    std::cout << '\n';
    outcomes_.clear();
  }

  static std::string read(const std::string& path) {
    std::ifstream file{path, std::ios::binary};
    return {std::istreambuf_iterator<char>{file}, {}};
  }
  std::size_t pick(std::size_t below) { return random_() % below; }
  static void flip(std::string& bytes, std::size_t bit) {
    bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ 1 << bit % 8);
  }
  /// Where the log's records end.
  static std::size_t log_end() {
    const auto log = read(the_store().path() + "/write_ahead.log");
    auto end = log.find_last_not_of('\0') + 1;
    return (end + log_page_bytes - 1) / log_page_bytes * log_page_bytes;
  }

  const std::uint64_t seed_ = asked_for("SWITCHBOARD_CORRUPTION_SEED", 1);
  const std::size_t cases_ = asked_for("SWITCHBOARD_CORRUPTION_CASES", 200);
  std::mt19937_64 random_{seed_};
  temporary_directory directory_;
  std::map<std::string, std::size_t> outcomes_;
};

TEST_F(corruption, none_is_found_where_none_is) {
  with("data.mdb", "nothing", [](std::string&) {});
  EXPECT_EQ(outcomes_["unharmed"], 1u) << "a crash alone is no damage";
}

TEST_F(corruption, a_flipped_bit_of_the_tables) {
  const auto size = fs::file_size(the_store().path() + "/data.mdb");
  for (std::size_t n = 0; n < cases_; ++n) {
    const auto bit = pick(size * 8);
    with("data.mdb", "bit " + std::to_string(bit), [&](std::string& bytes) { flip(bytes, bit); });
  }
  say("bit flips of data.mdb");
}

TEST_F(corruption, a_flipped_bit_of_what_holds_the_tables_together) {
  const auto pages = fs::file_size(the_store().path() + "/data.mdb") / 4096;
  for (std::size_t n = 0; n < cases_ / 2; ++n) {
    // Half of them in the two meta pages, half at the front of others, where layout and entries are described.
    const auto page = n % 2 == 0 ? pick(2) : pick(pages);
    const auto bit = (page * 4096 + pick(n % 2 == 0 ? 152 : 64)) * 8 + pick(8);
    with("data.mdb", "bit " + std::to_string(bit), [&](std::string& bytes) { flip(bytes, bit); });
  }
  say("bit flips of meta pages and page heads");
}

TEST_F(corruption, a_page_of_the_tables_that_is_zero_or_another_one) {
  const auto pages = fs::file_size(the_store().path() + "/data.mdb") / 4096;
  for (std::size_t n = 0; n < cases_ / 10; ++n) {
    const auto page = pick(pages);
    with("data.mdb", "page " + std::to_string(page) + " zeroed",
         [&](std::string& bytes) { bytes.replace(page * 4096, 4096, 4096, '\0'); });
  }
  say("pages of data.mdb zeroed");
  for (std::size_t n = 0; n < cases_ / 10; ++n) {
    const auto one = pick(pages), other = pick(pages);
    with("data.mdb", "pages " + std::to_string(one) + " and " + std::to_string(other) + " swapped",
         [&](std::string& bytes) {
           std::swap_ranges(bytes.begin() + static_cast<std::ptrdiff_t>(one * 4096),
                            bytes.begin() + static_cast<std::ptrdiff_t>(one * 4096 + 4096),
                            bytes.begin() + static_cast<std::ptrdiff_t>(other * 4096));
         });
  }
  say("pages of data.mdb swapped");
}

TEST_F(corruption, tables_that_were_cut_off) {
  const auto size = fs::file_size(the_store().path() + "/data.mdb");
  std::vector<std::size_t> ends{0, 1, 100, 4096, 8191, 8192, size - 4096, size - 1};
  for (std::size_t n = 0; n < cases_ / 10; ++n)
    ends.push_back(pick(size));
  for (const auto end : ends)
    with("data.mdb", "cut to " + std::to_string(end), [&](std::string& bytes) { bytes.resize(end); });
  say("data.mdb cut off");
}

TEST_F(corruption, a_flipped_bit_of_the_log) {
  const auto end = log_end();
  for (std::size_t n = 0; n < cases_ / 2; ++n) {
    // Every other one in a head: check, magic, size, sequence, numbers.
    const auto bit = n % 2 == 0 ? pick(end * 8) : (pick(end / 4096) * 4096 + pick(40)) * 8 + pick(8);
    with("write_ahead.log", "bit " + std::to_string(bit), [&](std::string& bytes) { flip(bytes, bit); });
  }
  say("bit flips of the log");
}

TEST_F(corruption, a_log_that_was_cut_off) {
  const auto size = fs::file_size(the_store().path() + "/write_ahead.log");
  const auto end = log_end();
  const auto step = std::max<std::size_t>(1, 5120 / std::max<std::size_t>(cases_, 1));
  for (std::size_t back = 1; back <= 512; back += step) {
    with("write_ahead.log", "file cut by " + std::to_string(back),
         [&](std::string& bytes) { bytes.resize(size - back); });
    with("write_ahead.log", "records cut by " + std::to_string(back),
         [&](std::string& bytes) { bytes.resize(end - back); });
  }
  for (std::size_t n = 0; n < cases_ / 5; ++n) {
    const auto at = 1 + pick(end - 1);
    with("write_ahead.log", "cut to " + std::to_string(at), [&](std::string& bytes) { bytes.resize(at); });
  }
  say("the log cut off");
}

} // namespace
} // namespace switchboard::store
