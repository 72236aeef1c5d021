"""Operations on image tensors that know nothing of the method."""
