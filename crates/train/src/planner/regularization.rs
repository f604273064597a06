//! What keeps a model from memorizing a text that it reads often? EXPERIMENTS.md, "The planner",
//! has the races.

/// How much a model sees of a text: its steps, its passes over the training part, and how many
/// parameters it has outside the embedding for each token of that part.
#[derive(Debug, Clone, Copy)]
pub(super) struct Exposure {
    pub steps: f64,
    pub epochs: f64,
    pub parameters_per_token: f64,
}

impl Exposure {
    /// `model.dropout`. A large model memorizes a text in fewer passes than a small one.
    pub fn dropout(self) -> f64 {
        match self.epochs * self.parameters_per_token {
            little if little < 100.0 => 0.0,
            some if some < 500.0 => 0.1,
            _ => 0.2,
        }
    }

    /// `data.merge_dropout`. Few passes over a text don't overfit it.
    pub fn skipped_merges(self) -> f64 {
        match self.epochs {
            few if few < 5.5 => 0.0,
            many => (0.003 * many).min(0.1),
        }
    }

    /// `optim.weight_decay`: little for a text that is read a few times, then three times as much.
    /// For small texts that are read often, rate · decay · steps per epoch is about the same for
    /// good settings.
    pub fn decay(self, matrix_lr: f64) -> f64 {
        let each = self.steps / self.epochs.max(1e-9);
        match self.epochs {
            few if few < 4.0 => 0.11,
            _ => (0.65 / (matrix_lr * each)).clamp(0.33, 2.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_model_gets_dropout_after_fewer_passes_than_a_small_one() {
        let of = |epochs, parameters_per_token| {
            let exposure = Exposure {
                steps: 1000.0,
                epochs,
                parameters_per_token,
            };
            exposure.dropout()
        };
        // The shapes and texts of the races, and *Alice* read 90 times.
        assert_eq!([of(10.0, 5.7), of(6.0, 2.7)], [0.0; 2]);
        assert_eq!([of(15.0, 12.2), of(10.7, 14.8), of(20.0, 14.4)], [0.1; 3]);
        assert_eq!(of(90.0, 14.4), 0.2);
    }

    #[test]
    fn weights_decay_faster_where_a_text_is_read_more_often() {
        let of = |steps, epochs| {
            let exposure = Exposure {
                steps,
                epochs,
                parameters_per_token: 4.0,
            };
            exposure.decay(0.026)
        };
        // The `tokio` sources, those of `regex-automata`, and *Alice*.
        assert_eq!([of(1305.0, 2.8), of(1316.0, 4.1)], [0.11, 0.33]);
        assert!(of(3012.0, 101.0) > 0.8);
    }
}
