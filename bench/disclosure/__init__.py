"""Others' scenarios of private matters, played against the guards and scored by planted canaries, without a judge."""
