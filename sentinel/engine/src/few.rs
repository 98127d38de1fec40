//! A list of which there are very many and in which there is mostly one thing, or nothing: that one lies in place.

/// A list that takes room of its own for the second thing only.
#[derive(Clone, Debug)]
pub(crate) enum Few<T> {
    None,
    One(T),
    Many(Vec<T>),
}

impl<T> Few<T> {
    pub(crate) const fn is_empty(&self) -> bool {
        matches!(self, Self::None)
    }

    pub(crate) fn all(&self) -> &[T] {
        match self {
            Self::None => &[],
            Self::One(one) => std::slice::from_ref(one),
            Self::Many(many) => many,
        }
    }

    pub(crate) fn all_mut(&mut self) -> &mut [T] {
        match self {
            Self::None => &mut [],
            Self::One(one) => std::slice::from_mut(one),
            Self::Many(many) => many,
        }
    }

    /// Puts something in before what lies at a place.
    pub(crate) fn insert(&mut self, place: usize, new: T) {
        if let Self::Many(many) = self {
            many.insert(place, new);
            return;
        }
        *self = match std::mem::replace(self, Self::None) {
            Self::One(one) => {
                let mut many = vec![one];
                many.insert(place, new);
                Self::Many(many)
            }
            Self::None | Self::Many(_) => Self::One(new),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_holds_what_a_plain_list_holds() {
        let (mut few, mut plain) = (Few::None, Vec::new());
        assert!(few.is_empty() && few.all().is_empty() && few.all_mut().is_empty());
        for (n, place) in [0, 1, 0, 2, 4].into_iter().enumerate() {
            few.insert(place, n);
            plain.insert(place, n);
            assert_eq!((few.all(), few.is_empty()), (&plain[..], false));
            few.all_mut()[place] += 10;
            plain[place] += 10;
        }
    }
}
