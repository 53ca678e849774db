//! Numbers as a line of little bars.

/// From the lowest to the highest.
type Bars = [char; 8];

const BLOCKS: Bars = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
/// For terminals that know nothing but ASCII.
const MARKS: Bars = ['_', '.', ':', '-', '=', '+', '*', '#'];

/// Blocks where the locale says that they can be shown.
fn bars() -> Bars {
    let set = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().filter_map(std::env::var_os);
    let locale =
        set.filter(|value| !value.is_empty()).map(|value| value.to_ascii_lowercase()).next();
    let is_unicode = locale.is_some_and(|locale| {
        let locale = locale.to_string_lossy();
        locale.contains("utf-8") || locale.contains("utf8")
    });
    if is_unicode { BLOCKS } else { MARKS }
}

/// A bar for each number, the highest for the largest; a blank where there is none. Bars begin at
/// zero, or at the smallest number if that is less, so that twice as much is twice as high.
pub(crate) fn spark(numbers: &[Option<f64>]) -> String {
    drawn(numbers, bars())
}

fn drawn(numbers: &[Option<f64>], bars: Bars) -> String {
    let some = || numbers.iter().flatten().copied().filter(|number| number.is_finite());
    let (low, high) = (some().fold(f64::INFINITY, f64::min), some().fold(0.0, f64::max));
    let low = low.min(0.0);
    let bar = |number: &Option<f64>| {
        let number = number.filter(|number| number.is_finite())?;
        let part = if high > low { (number - low) / (high - low) } else { 0.0 };
        bars.get((part * 7.0).round() as usize).copied()
    };
    numbers.iter().map(|number| bar(number).unwrap_or(' ')).collect()
}

/// As many numbers as there is room for: neighbours become one, the largest of them.
pub(crate) fn narrowed(numbers: &[Option<f64>], width: usize) -> Vec<Option<f64>> {
    let each = numbers.len().div_ceil(width.max(1)).max(1);
    let largest = |some: &[Option<f64>]| some.iter().flatten().copied().reduce(f64::max);
    numbers.chunks(each).map(largest).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_as_high_as_their_numbers_and_gaps_stay_gaps() {
        assert_eq!(drawn(&[Some(0.0), None, Some(3.5), Some(7.0)], BLOCKS), "▁ ▅█");
        assert_eq!(drawn(&[Some(0.0), None, Some(3.5), Some(7.0)], MARKS), "_ =#");
        assert_eq!(drawn(&[Some(0.0), Some(0.0)], BLOCKS), "▁▁");
        assert_eq!(drawn(&[Some(5.0), Some(5.0)], BLOCKS), "██");
        assert_eq!(drawn(&[Some(-7.0), Some(0.0), Some(f64::NAN)], BLOCKS), "▁█ ");
        assert_eq!(drawn(&[], BLOCKS), "");
    }

    #[test]
    fn more_numbers_than_columns_become_their_largest() {
        let numbers: Vec<_> = (0..10).map(|n| (n != 4).then_some(f64::from(n))).collect();
        assert_eq!(narrowed(&numbers, 5), [1.0, 3.0, 5.0, 7.0, 9.0].map(Some));
        assert_eq!(narrowed(&numbers, 10), numbers);
        assert_eq!(narrowed(&[None, None], 1), [None]);
    }
}
