#include "liveness.h"

#include <algorithm>

namespace fovea {

Liveness::Liveness(const Schedule& schedule)
    : valueOf_(schedule.slots.size(), absent), reads_(schedule.phases.size()) {
  const int phases = static_cast<int>(schedule.phases.size());
  std::vector<int> first(schedule.slots.size(), phases), last(schedule.slots.size(), absent);
  for (int phase = 0; phase < phases; ++phase)
    for (const Step& step : schedule.phases[phase].steps) {
      const auto touch = [&](int slot) {
        if (slot == absent) return;
        first[slot] = std::min(first[slot], phase);
        last[slot] = phase;
      };
      std::ranges::for_each(step.inputs, touch);
      std::ranges::for_each(step.outputs, touch);
    }
  for (size_t i = 0; i < schedule.slots.size(); ++i)
    if (schedule.slots[i].kind == Slot::Kind::input) first[i] = absent;
  for (const int slot : schedule.outputs) last[slot] = phases;

  for (size_t i = 0; i < schedule.slots.size(); ++i) {
    const Slot::Kind kind = schedule.slots[i].kind;
    if (kind == Slot::Kind::store || kind == Slot::Kind::constant) continue;
    if (kind != Slot::Kind::input && first[i] >= last[i]) continue;
    valueOf_[i] = static_cast<int>(values_.size());
    const Slot& home = schedule.slots[schedule.home(static_cast<int>(i))];
    values_.push_back({first[i], last[i], {.first = home.first, .last = home.last}});
  }
  live_.resize(values_.size());
  for (int phase = 0; phase < phases; ++phase) {
    std::vector<int>& reads = reads_[phase];
    for (const Step& step : schedule.phases[phase].steps)
      std::ranges::copy_if(step.inputs, std::back_inserter(reads), [&](int slot) {
        return slot != absent && valueOf_[slot] != absent && values_[valueOf_[slot]].first != phase;
      });
    std::ranges::sort(reads);
    reads.erase(std::unique(reads.begin(), reads.end()), reads.end());
  }
}

void Liveness::upload(int slot) {
  const int input = valueOf_[slot];
  for (size_t i = 0; i < values_.size(); ++i)
    if (!values_[i].lifetime.meets(values_[input].lifetime)) live_[i] = false;
  live_[input] = true;
}

int Liveness::missing(int phase) const {
  for (const int slot : reads_[phase])
    if (!live_[valueOf_[slot]]) return slot;
  return absent;
}

void Liveness::run(int phase) {
  for (size_t i = 0; i < values_.size(); ++i) {
    const Value& value = values_[i];
    live_[i] = value.first == phase || (live_[i] && value.first < phase && phase < value.last);
  }
}

bool Liveness::holds(int slot) const { return valueOf_[slot] == absent || live_[valueOf_[slot]]; }

}  // namespace fovea
