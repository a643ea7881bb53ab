#include "runtime/shutdown.hpp"

#include <algorithm>
#include <limits>

#include "base/handler_section.hpp"
#include "runtime/log.hpp"

namespace switchboard::runtime {

namespace {

constexpr std::size_t blockers_named_max = 10;
/// A handler that runs for so long is not just passing by.
constexpr milliseconds stuck_least{50};

std::string joined(const std::vector<std::string>& names) {
  std::string text;
  for (const auto& name : names)
    text.append(text.empty() ? "" : ",").append(name);
  return text;
}

/// Those stuck in a handler first, then those with something to do, and if there are none whoever is left.
std::vector<std::string> who_blocks(const std::string& prefix, const directory& who) {
  std::vector<std::string> names;
  const auto add = [&](const std::string& path) {
    if (path.starts_with(prefix) && names.size() < blockers_named_max &&
        std::find(names.begin(), names.end(), path) == names.end())
      names.push_back(path);
  };
  for (const auto& stuck : running_handlers(stuck_least))
    add(stuck.who.path);
  const auto rows = who.list(prefix, std::numeric_limits<std::size_t>::max());
  for (const auto& row : rows)
    if (row.mailbox > 0)
      add(row.path);
  if (names.empty())
    for (const auto& row : rows)
      add(row.path);
  return names;
}

phase_report run_one(const shutdown_phase& phase, const directory& who) {
  const auto begun = std::chrono::steady_clock::now();
  phase_report report;
  report.name = phase.name;
  report.in_time = phase.run(phase.most);
  report.took = std::chrono::duration_cast<milliseconds>(std::chrono::steady_clock::now() - begun);
  if (!report.in_time)
    report.blocked_by = who_blocks(phase.blockers, who);
  return report;
}

} // namespace

std::vector<phase_report> run_phases(const std::vector<shutdown_phase>& phases, const directory& who) {
  std::vector<phase_report> reports;
  for (const auto& phase : phases) {
    reports.push_back(run_one(phase, who));
    const auto& report = reports.back();
    if (report.in_time)
      log::info("shutdown_phase", {{"phase", report.name}, {"took_ms", report.took.count()}});
    else
      log::warning("shutdown_blocked",
                   {{"phase", report.name}, {"took_ms", report.took.count()}, {"who", joined(report.blocked_by)}});
  }
  return reports;
}

} // namespace switchboard::runtime
