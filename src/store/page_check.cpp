#include "store/page_check.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <map>
#include <utility>

#include "store/record.hpp"

namespace switchboard::store {

namespace {

using page_number = std::uint64_t;
using page = std::array<char, 4096>;

constexpr std::size_t page_head_bytes = 16;
constexpr std::size_t node_head_bytes = 8;
constexpr std::size_t tree_bytes = 48;
constexpr page_number no_page = ~page_number{0};
constexpr unsigned branch_page = 1, leaf_page = 2, overflow_page = 4, meta_page = 8;
constexpr unsigned node_is_big = 1, node_is_tree = 2;
constexpr unsigned integer_key = 8;
constexpr unsigned depth_max = 32; // LMDB's CURSOR_STACK

template <class Number>
Number at(std::string_view bytes, std::size_t offset) noexcept {
  Number value;
  std::memcpy(&value, bytes.data() + offset, sizeof value);
  return value;
}

std::string_view view(const page& of) noexcept { return {of.data(), of.size()}; }

/// MDB_db: one tree.
struct tree {
  std::uint32_t pad = 0;
  std::uint16_t flags = 0, depth = 0;
  std::uint64_t branches = 0, leaves = 0, overflows = 0, entries = 0;
  page_number root = no_page;
};

tree read_tree(std::string_view bytes) noexcept {
  tree made;
  made.pad = at<std::uint32_t>(bytes, 0);
  made.flags = at<std::uint16_t>(bytes, 4);
  made.depth = at<std::uint16_t>(bytes, 6);
  made.branches = at<std::uint64_t>(bytes, 8);
  made.leaves = at<std::uint64_t>(bytes, 16);
  made.overflows = at<std::uint64_t>(bytes, 24);
  made.entries = at<std::uint64_t>(bytes, 32);
  made.root = at<std::uint64_t>(bytes, 40);
  return made;
}

/// MDB_meta: one of the two beginnings.
struct beginning {
  tree free, main;
  page_number last = 0;
  std::uint64_t transaction = 0;
  std::string trouble; ///< what is wrong with it; empty: nothing that shows by itself
};

beginning read_beginning(std::string_view bytes, page_number number) {
  constexpr std::size_t meta = page_head_bytes, trees = meta + 24;
  beginning made;
  made.free = read_tree(bytes.substr(trees, tree_bytes));
  made.main = read_tree(bytes.substr(trees + tree_bytes, tree_bytes));
  made.last = at<std::uint64_t>(bytes, trees + 2 * tree_bytes);
  made.transaction = at<std::uint64_t>(bytes, trees + 2 * tree_bytes + 8);
  const auto wrong = [&](bool is, const char* what) {
    if (is && made.trouble.empty())
      made.trouble = what;
  };
  wrong(at<std::uint64_t>(bytes, 0) != number, "has another page's number");
  wrong(at<std::uint16_t>(bytes, 10) != meta_page, "is no meta page");
  wrong(at<std::uint32_t>(bytes, meta) != 0xBEEFC0DE, "has no magic number");
  wrong(at<std::uint32_t>(bytes, meta + 4) != 1, "has another version");
  wrong(at<std::uint64_t>(bytes, meta + 8) != 0, "asks for an address");
  wrong(made.free.pad != sizeof(page), "has another page size");
  wrong(made.free.flags != integer_key || made.main.flags != 0 || made.main.pad != 0,
        "has flags that LMDB doesn't set");
  wrong(made.transaction != 0 && made.transaction % 2 != number, "has a transaction that belongs on the other one");
  return made;
}

class file {
public:
  explicit file(const std::string& path) : file_(::open(path.c_str(), O_RDONLY | O_CLOEXEC)) {
    struct stat is {};
    if (file_ >= 0 && ::fstat(file_, &is) == 0)
      size_ = static_cast<std::uint64_t>(is.st_size);
  }
  file(const file&) = delete;
  file& operator=(const file&) = delete;
  ~file() {
    if (file_ >= 0)
      ::close(file_);
  }
  bool is_there() const noexcept { return file_ >= 0; }
  std::uint64_t size() const noexcept { return size_; }
  page_number pages() const noexcept { return size_ / sizeof(page); }

  /// False if it ends before, or the disk can't read it.
  bool read(page_number from, char* to, std::size_t bytes) const noexcept {
    for (std::uint64_t offset = from * sizeof(page); bytes > 0;) {
      const auto got = ::pread(file_, to, bytes, static_cast<off_t>(offset));
      if (got < 0 && errno == EINTR)
        continue;
      if (got <= 0)
        return false;
      to += got;
      offset += static_cast<std::uint64_t>(got);
      bytes -= static_cast<std::size_t>(got);
    }
    return true;
  }

private:
  int file_;
  std::uint64_t size_ = 0;
};

/// "queue 3, position 17" for a message, else its printable bytes.
std::string text_of(std::string_view table_name, std::string_view key) {
  if (table_name == name(table::messages) && key.size() == 16) {
    const auto number = [&](std::size_t offset) {
      std::uint64_t value = 0;
      for (std::size_t i = 0; i < 8; ++i)
        value = value << 8 | static_cast<unsigned char>(key[offset + i]);
      return std::to_string(value);
    };
    return "queue " + number(0) + ", position " + number(8);
  }
  std::string text{'\''};
  for (const char each : key)
    text += each >= ' ' && each <= '~' ? each : '.';
  return text + '\'';
}

/// All trees of one beginning.
class snapshot {
public:
  snapshot(const file& from, const beginning& at, page_report& report,
           const std::function<void(const found_record&)>& see)
      : file_(from), begin_(at), report_(report), see_(see) {}

  /// The transaction that table meta says it was written by; absent in a store that was not marked yet, or if it can't
  /// be found.
  std::optional<std::uint64_t> find_mark() {
    walk_some([](std::string_view called) { return called == name(table::meta); });
    return mark_;
  }
  void walk() {
    walk_tables_ = true;
    walk_some([](std::string_view) { return true; });
  }

private:
  template <class Which>
  void walk_some(Which&& which) {
    // A page number takes a bit here; what no file of this size can hold isn't looked at.
    const auto pages = std::min(begin_.last + 1, file_.pages() + (std::uint64_t{1} << 20));
    if (begin_.last >= pages)
      broken("the last page is said to be " + std::to_string(begin_.last) + ", beyond the file");
    used_.assign(pages, false);
    free_.assign(pages, false);
    used_[0] = true;
    if (pages > 1)
      used_[1] = true;
    if (walk_tables_)
      walk_tree("free pages", begin_.free, [this](auto key, auto value) { take_free(key, value); });
    std::vector<std::pair<std::string, tree>> tables;
    walk_tree("tables", begin_.main, [&](std::string_view key, std::string_view value) {
      if (!is_tree_ || value.size() != tree_bytes)
        return broken("the table of tables has an entry " + text_of("", key) + " that is none");
      tables.emplace_back(key, read_tree(value));
    });
    for (const auto& [called, what] : tables) {
      const auto known = std::find(table_names.begin(), table_names.end(), called);
      if (known == table_names.end() || what.flags != 0 || what.pad != 0)
        broken("table '" + text_of("", called) + "' is none of ours");
      else if (which(called))
        walk_records(static_cast<table>(known - table_names.begin()), what);
    }
    if (!tables.empty())
      for (const auto* called : {name(table::meta), name(table::messages), name(table::topology)})
        if (std::none_of(tables.begin(), tables.end(), [&](const auto& each) { return each.first == called; }))
          broken("table " + std::string{called} + " is not there");
  }

  void broken(std::string what) { add(report_.broken, std::move(what)); }
  void lost(std::string what) { add(report_.lost, std::move(what)); }
  static void add(std::vector<std::string>& to, std::string what) {
    constexpr std::size_t most = 10'000; // of a file that is all rubbish
    if (to.size() < most)
      to.push_back(std::move(what));
  }

  void walk_records(table of, const tree& what) {
    walk_tree(name(of), what, [&](std::string_view key, std::string_view value) {
      const auto payload = is_tree_ ? std::nullopt : unseal(key, value);
      if (!payload)
        lost("table " + std::string{name(of)} + ": a record fails its check; its key is now " + text_of(name(of), key) +
             (before_.empty() ? "" : ", and the one before it is " + text_of(name(of), before_)));
      else
        ++report_.records;
      before_ = key;
      if (of == table::meta && key == transaction_mark)
        mark_ = decode_number(key, value);
      if (see_)
        see_({of, key, value, payload.has_value()});
    });
  }

  template <class Take>
  void walk_tree(std::string called, const tree& what, Take&& take) {
    called_ = std::move(called);
    is_free_list_ = called_ == "free pages";
    sum_ = {};
    before_.clear();
    const auto count = report_.broken.size();
    if (what.root == no_page) {
      if (what.entries != 0)
        report_unreachable(what.entries);
    } else if (what.depth == 0 || what.depth > depth_max) {
      broken(called_ + ": is said to be " + std::to_string(what.depth) + " pages deep");
    }
    if (what.root != no_page)
      walk_page(what.root, std::clamp<unsigned>(what.depth, 1, depth_max), {}, std::nullopt, take);
    if (sum_.entries < what.entries) {
      report_unreachable(what.entries - sum_.entries);
      if (called_ == name(table::messages))
        report_.gaps.swap(gaps_);
    }
    gaps_.clear();
    if (report_.broken.size() == count && (sum_.entries != what.entries || sum_.branches != what.branches ||
                                           sum_.leaves != what.leaves || sum_.overflows != what.overflows))
      broken(called_ + ": has other counts than it says");
  }

  void report_unreachable(std::uint64_t count) {
    if (!is_free_list_)
      lost("table " + called_ + ": " + std::to_string(count) + " record(s) can't be reached");
    broken(called_ + ": " + std::to_string(count) + " record(s) can't be reached");
  }

  bool use(page_number number) {
    if (number >= used_.size() || number < 2 || used_[number] || free_[number])
      return false;
    used_[number] = true;
    return true;
  }

  /// False: the whole page is given up.
  template <class Take>
  bool walk_page(page_number number, unsigned depth, std::string_view from, std::optional<std::string_view> to,
                 Take&& take) {
    page bytes;
    const auto bad = [&](const std::string& why) {
      if (gaps_.empty() || gaps_.back().from != from)
        gaps_.push_back({std::string{from}, to ? std::optional{std::string{*to}} : std::nullopt});
      broken(called_ + ": page " + std::to_string(number) + " " + why + where(from, to));
      return false;
    };
    if (!use(number))
      return bad("is free, used twice, or beyond the end");
    if (!file_.read(number, bytes.data(), bytes.size()))
      return bad("can't be read");
    const auto all = view(bytes);
    if (at<std::uint64_t>(all, 0) != number)
      return bad("says it is page " + std::to_string(at<std::uint64_t>(all, 0)));
    const auto wanted = depth > 1 ? branch_page : leaf_page;
    if (at<std::uint16_t>(all, 10) != wanted)
      return bad("is of another kind");
    const auto lower = at<std::uint16_t>(all, 12), upper = at<std::uint16_t>(all, 14);
    if (lower < page_head_bytes || lower % 2 != 0 || lower > upper || upper > all.size())
      return bad("has no sensible layout");
    ++(depth > 1 ? sum_.branches : sum_.leaves);
    const std::size_t count = (lower - page_head_bytes) / 2;
    std::size_t node_bytes = 0;
    std::vector<std::pair<std::string, page_number>> children;
    std::string_view before;
    for (std::size_t i = 0; i < count; ++i) {
      const auto offset = at<std::uint16_t>(all, page_head_bytes + 2 * i);
      if (offset < upper || offset + node_head_bytes > all.size()) {
        bad("has an entry outside of it");
        continue;
      }
      const auto node = all.substr(offset);
      const auto key_bytes = at<std::uint16_t>(node, 6);
      if (node_head_bytes + key_bytes > node.size()) {
        bad("has a key that is longer than it");
        continue;
      }
      const bool is_first_of_branch = depth > 1 && i == 0; // whose key doesn't count
      const auto key = node.substr(node_head_bytes, key_bytes);
      if (!is_first_of_branch &&
          ((i > (depth > 1 ? 1u : 0u) && !is_less(before, key)) || is_less(key, from) || (to && !is_less(key, *to))))
        bad("has keys out of order");
      before = key;
      std::size_t size = node_head_bytes + key_bytes;
      const auto low = at<std::uint16_t>(node, 0), high = at<std::uint16_t>(node, 2),
                 flags = at<std::uint16_t>(node, 4);
      if (depth > 1)
        children.emplace_back(is_first_of_branch ? std::string{from} : std::string{key},
                              low | page_number{high} << 16 | page_number{flags} << 32);
      else
        size += take_leaf(node, key, low | std::size_t{high} << 16, flags, bad, take);
      node_bytes += size + size % 2;
    }
    if (upper + node_bytes != all.size())
      bad("has other entries than its layout says");
    for (std::size_t i = 0; i < children.size(); ++i)
      walk_page(children[i].second, depth - 1, children[i].first,
                i + 1 < children.size() ? std::optional<std::string_view>{children[i + 1].first} : to, take);
    return true;
  }

  /// The bytes that its value takes on this page.
  template <class Bad, class Take>
  std::size_t take_leaf(std::string_view node, std::string_view key, std::size_t size, unsigned flags, Bad&& bad,
                        Take&& take) {
    const auto rest = node.substr(node_head_bytes + key.size());
    is_tree_ = flags == node_is_tree;
    if (flags != 0 && flags != node_is_big && flags != node_is_tree) {
      bad("has an entry of another kind");
      return std::min(size, rest.size());
    }
    if (flags != node_is_big) {
      if (size > rest.size()) {
        bad("has a value that is longer than it");
        return rest.size();
      }
      ++sum_.entries;
      take(key, rest.substr(0, size));
      return size;
    }
    if (rest.size() < sizeof(page_number)) {
      bad("has an entry that is cut off");
      return rest.size();
    }
    if (!read_big(at<page_number>(rest, 0), size)) {
      bad("names pages of a large value that are not there");
      return sizeof(page_number);
    }
    ++sum_.entries;
    take(key, std::string_view{big_}.substr(page_head_bytes, size));
    return sizeof(page_number);
  }

  bool read_big(page_number first, std::size_t size) {
    const auto pages = (page_head_bytes - 1 + size) / sizeof(page) + 1;
    if (first >= file_.pages() || pages > file_.pages() - first)
      return false;
    for (page_number number = first; number < first + pages; ++number)
      if (!use(number))
        return false;
    big_.resize(pages * sizeof(page));
    if (!file_.read(first, big_.data(), big_.size()))
      return false;
    sum_.overflows += pages;
    return at<std::uint64_t>(big_, 0) == first && at<std::uint16_t>(big_, 10) == overflow_page &&
           at<std::uint32_t>(big_, 12) == pages;
  }

  void take_free(std::string_view key, std::string_view value) {
    const auto count = value.size() >= 8 ? at<std::uint64_t>(value, 0) : 0;
    if (key.size() != 8 || value.size() < 8 || value.size() % 8 != 0 || count > value.size() / 8 - 1)
      return broken("free pages: a list makes no sense");
    for (std::uint64_t i = 1; i <= count; ++i) {
      const auto number = at<page_number>(value, 8 * i);
      if (number < 2 || number >= free_.size() || free_[number] || used_[number])
        return broken("free pages: page " + std::to_string(number) + " is used, named twice, or beyond the end");
      free_[number] = true;
    }
  }

  bool is_less(std::string_view left, std::string_view right) const noexcept {
    if (is_free_list_ && left.size() == 8 && right.size() == 8)
      return at<std::uint64_t>(left, 0) < at<std::uint64_t>(right, 0);
    return left < right;
  }

  std::string where(std::string_view from, std::optional<std::string_view> to) const {
    if (is_free_list_ || called_ == "tables")
      return "";
    return " (from " + (from.empty() ? "the beginning" : text_of(called_, from)) + " to " +
           (to ? text_of(called_, *to) : "the end") + ")";
  }

  const file& file_;
  const beginning begin_;
  page_report& report_;
  const std::function<void(const found_record&)>& see_;
  std::vector<bool> used_, free_;
  std::string called_;       // the tree that is walked
  bool walk_tables_ = false; ///< all of them, and the free pages
  bool is_free_list_ = false;
  std::string before_;   // the last key seen in it
  std::string big_;      // pages of one large value
  bool is_tree_ = false; // of the entry at hand: it is a table
  tree sum_;
  std::vector<lost_messages> gaps_; ///< pages of the tree that is walked with something wrong
  std::optional<std::uint64_t> mark_;
};

} // namespace

expected<page_report> check_pages(const std::string& path, const std::function<void(const found_record&)>& see) {
  page_report report;
  const file pages{path};
  if (!pages.is_there() && errno != ENOENT)
    return error{errc::io_failed, path + ": " + std::strerror(errno)};
  if (pages.size() == 0) {
    report.is_new = true;
    return report;
  }
  std::array<beginning, 2> begins;
  for (page_number number = 0; number < 2; ++number) {
    page bytes;
    if (pages.read(number, bytes.data(), bytes.size()))
      begins[number] = read_beginning(view(bytes), number);
    else
      begins[number].trouble = "is cut off";
    if (const auto& why = begins[number].trouble; !why.empty())
      report.broken.push_back("meta page " + std::to_string(number) + " " + why);
  }
  // The newer one by the mark that has a check; by LMDB's number where there is none.
  std::array<std::optional<std::uint64_t>, 2> wrote;
  for (std::size_t which = 0; which < 2; ++which) {
    const auto& begin = begins[which];
    page_report unused;
    const auto mark = snapshot{pages, begin, unused, {}}.find_mark();
    // A compact copy (mdb_copy -c) counts its transactions anew; the mark stays what it was.
    const bool is_copy = begin.transaction == 1 && begins[1 - which].transaction == 0 && mark.value_or(0) > 2;
    if (mark || begin.trouble.empty())
      wrote[which] = mark.value_or(begin.transaction);
    if (begin.trouble.empty() && !is_copy && wrote[which] != begin.transaction)
      report.broken.push_back("meta page " + std::to_string(which) + " is not what its transaction wrote");
  }
  if (!wrote[0] && !wrote[1])
    return error{errc::corrupt, path + ": neither meta page can be read: " + report.broken.front()};
  const std::size_t chosen = wrote[0] < wrote[1] ? 1 : 0; // nothing is less than any number
  page_report best;
  snapshot{pages, begins[chosen], best, {}}.walk();
  if (!wrote[1 - chosen])
    best.lost.push_back("what the last transaction wrote, if its meta page was the one that can't be read");
  best.broken.insert(best.broken.begin(), report.broken.begin(), report.broken.end());
  if (see) {
    page_report again;
    snapshot{pages, begins[chosen], again, see}.walk();
  }
  return best;
}

} // namespace switchboard::store
